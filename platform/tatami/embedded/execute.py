"""`python -m tatami.embedded exec -- COMMAND`: one command with the servers, which it starts if none run."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tatami.embedded.account import die_with_parent
from tatami.embedded.data_folder import claimed, running_environment
from tatami.embedded.environment import application_variables, data_folder, merged
from tatami.embedded.errors import AlreadyRunning, EmbeddedError
from tatami.embedded.servers import serving
from tatami.embedded.signals import STOPPING, StopRequested, stop_signals

MOST_AT_ONCE = 8


def execute(command: Sequence[str]) -> int:
    """Run `command` with the servers' addresses in its environment and return its exit code.

    TATAMI_EPHEMERAL=1 (the tests): servers of its own without durability, and without waiting for another
    test run in the same checkout. Otherwise the servers of a running `make run` are used if there are any.
    """
    if os.environ.get("TATAMI_EPHEMERAL") == "1":
        return _with_own_servers_beside_others(command)
    data = data_folder()
    running = running_environment(data)
    if running is not None:
        return run_in_terminal(command, merged(running))
    return _with_own_servers(command, data, durable=True)


def _with_own_servers_beside_others(command: Sequence[str]) -> int:
    first = data_folder()
    for number in range(1, MOST_AT_ONCE + 1):
        data = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with suppress(AlreadyRunning):
            return _with_own_servers(command, data, durable=False)
    raise AlreadyRunning(f"{MOST_AT_ONCE} commands use {first} and its siblings already.")


def _with_own_servers(command: Sequence[str], data: Path, *, durable: bool) -> int:
    with stop_signals():
        try:
            with claimed(data) as claim, serving(claim, durable=durable) as servers:
                variables = application_variables(claim, servers)
                claim.publish(variables)
                if servers.admin_url:
                    variables["ADMIN_DATABASE_URL"] = servers.admin_url
                return run_in_terminal(command, merged(variables))
        except StopRequested:
            return 128 + signal.SIGTERM


def run_in_terminal(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run `command` in the foreground: it has the terminal and its Ctrl-C; other signals we pass on."""
    parent = os.getpid()
    try:
        process = subprocess.Popen(  # noqa: S603
            [*command],
            env=environment,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent),  # noqa: PLW1509
        )
    except OSError as error:
        raise EmbeddedError(f"{command[0]} cannot be run: {error.strerror}.") from error

    def pass_on(number: int, _frame: object) -> None:
        # The terminal sends Ctrl-C to the command too; without one we are the only one who got it.
        if number != signal.SIGINT or not os.isatty(0):
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in STOPPING}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code
