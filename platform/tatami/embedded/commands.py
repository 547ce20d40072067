"""The two commands: `run` serves the whole installation until Ctrl-C; `exec` runs one command while the servers run."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from tatami.embedded.child_process import STOP_SIGNALS, StopRequested, handle_stop_signals
from tatami.embedded.data_folder import (
    PRIVATE,
    DataFolder,
    data_folder_path,
    locked_data_folder,
    running_environment,
)
from tatami.embedded.errors import AlreadyRunning, EmbeddedError, PortTaken
from tatami.embedded.programs import HOST, ApplicationPrograms
from tatami.embedded.servers import application_variables, merge_environment, running_servers
from tatami.embedded.supervisor import Supervisor, print_line
from tatami.embedded.unprivileged_user import set_parent_death_signal

HIGHEST_PORT = 65_535
METRICS_PORT = 9464
"""The default port of the web process's metrics. The worker's is one higher."""
READY_WITHIN_SECONDS = 90.0
PROBE_TIMEOUT_SECONDS = 2.0
"""Short, because a connection made before Granian's workers listen may never be answered."""


def run() -> int:
    """Serve until a stop signal, then return 0. Raises `EmbeddedError` if something cannot be started."""
    port = parse_port(os.environ.get("PORT", ""))
    metrics_port = parse_port(os.environ.get("TATAMI_METRICS_PORT", ""), "TATAMI_METRICS_PORT", METRICS_PORT)
    with handle_stop_signals() as shutdown_started:
        try:
            with locked_data_folder(data_folder_path()) as data_folder:
                # Check the port after locking, which stops the web process of a killed supervisor.
                check_port_is_free(port)
                _serve(data_folder, port, choose_metrics_port(metrics_port), shutdown_started)
        except StopRequested:
            print_line("stopped")
    return 0


def _serve(
    data_folder: DataFolder, port: int, metrics_port: int, shutdown_started: Callable[[], None]
) -> None:
    supervisor = Supervisor(data_folder, print_line)
    with ExitStack() as stack:
        had_password = data_folder.has_secret("superadmin_password")
        print_line("starting PostgreSQL and Valkey")
        servers = stack.enter_context(running_servers(data_folder))
        for child in servers.children:
            supervisor.adopt(child)
        ports = {"PORT": str(port), "TATAMI_METRICS_PORT": str(metrics_port)}
        variables = application_variables(data_folder, servers) | ports
        data_folder.publish(variables)
        application = ApplicationPrograms(data_folder.path, merge_environment(variables), port)
        supervisor.run_to_completion(application.prepare())
        programs = application.programs()
        stack.callback(supervisor.stop, programs)
        stack.callback(print_line, "stopping")
        stack.callback(shutdown_started)
        for program in programs:
            supervisor.start(program)
        if not supervisor.watch(lambda: readiness(port) == "200", within=READY_WITHIN_SECONDS):
            raise EmbeddedError(
                f"http://{HOST}:{port}/readyz did not answer 200 within {READY_WITHIN_SECONDS:.0f} s, "
                f"but {readiness(port)}; the reason may be above."
            )
        password_is_new = not had_password and data_folder.has_secret("superadmin_password")
        print_line(summary(application, show_password=password_is_new))
        supervisor.watch(lambda: False)


def parse_port(text: str, variable: str = "PORT", default: int = 8000) -> int:
    """Parse a port; return `default` for an empty text. 0 is valid only for the metrics, and turns them off."""
    if not text:
        return default
    # The worker's metrics use the next port.
    lowest, highest = (1, HIGHEST_PORT) if variable == "PORT" else (0, HIGHEST_PORT - 1)
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise EmbeddedError(f"{variable}={text!r} is not a port. Give a number from {lowest} to {highest}.")
    return int(text)


def choose_metrics_port(port: int) -> int:
    """Return the port of the web process's metrics, or 0 for no metrics. The worker's port is one higher.

    If a port is taken: raises `PortTaken` if TATAMI_METRICS_PORT is set; for the default port, turns metrics off.
    """
    try:
        for each in (port, port + 1) if port else ():
            check_port_is_free(each, "TATAMI_METRICS_PORT")
    except PortTaken as taken:
        if os.environ.get("TATAMI_METRICS_PORT"):
            raise
        print_line(f"no metrics: {taken}")
        return 0
    return port


def check_port_is_free(port: int, variable: str = "PORT") -> None:
    """Raise `PortTaken` if we cannot listen on `port`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except PermissionError as error:
            raise PortTaken(
                f"Port {port} needs privileges that this user lacks. Choose one over 1023 with {variable}."
            ) from error
        except OSError as error:
            raise PortTaken(
                f"Port {port} is taken: another program listens on it. Choose another, as in: "
                f"make run {variable}={port + (1 if variable == 'PORT' else 10)}"
            ) from error


def readiness(port: int) -> str:
    """Return the status of `GET /readyz`, or the name of the connection error. "200" means ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def summary(application: ApplicationPrograms, *, show_password: bool) -> str:
    """Return the message that `run` prints when it serves: the addresses, and one command to try."""
    platform = f"http://localhost:{application.port}"
    email = application.environment["TATAMI_SUPERADMIN_EMAIL"]
    password = application.environment["TATAMI_SUPERADMIN_PASSWORD"] if show_password else "<the password>"
    login = f"""curl -s {platform}/auth/login -H 'Content-Type: application/json' \\
      -d '{{"email": "{email}", "password": "{password}"}}'"""
    location = (
        "" if show_password else f" (stored in {application.data / 'secrets.json'}, if it was generated)"
    )
    metrics = application.environment.get("TATAMI_METRICS_PORT", "0")
    metrics_address = (
        f"http://{HOST}:{metrics}/metrics; the worker's is one port higher" if metrics != "0" else "off"
    )
    return f"""it serves. Ctrl-C stops all of it.

    Platform  {platform}      API {platform}/docs
    Dojos     http://<slug>.localhost:{application.port}
    Metrics   {metrics_address}

    Try       {login}
    Superadmin {email}{location}
"""


MAX_PARALLEL_COMMANDS = 8


def run_with_servers(command: Sequence[str]) -> int:
    """Run `command` with the servers' URLs in its environment, and return its exit code.

    With TATAMI_EPHEMERAL=1 (tests) it starts its own servers without durability, and several commands can run at the
    same time in one checkout. Otherwise it uses the servers of a running `make run`, or starts them.
    """
    if os.environ.get("TATAMI_EPHEMERAL") == "1":
        return _with_ephemeral_servers(command)
    data = data_folder_path()
    running = running_environment(data)
    if running is not None:
        os.umask(PRIVATE)
        return run_in_foreground(command, merge_environment(running))
    return _with_own_servers(command, data, durable=True)


def _with_ephemeral_servers(command: Sequence[str]) -> int:
    first = data_folder_path()
    for number in range(1, MAX_PARALLEL_COMMANDS + 1):
        data = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with suppress(AlreadyRunning):
            return _with_own_servers(command, data, durable=False)
    raise AlreadyRunning(
        f"{MAX_PARALLEL_COMMANDS} commands already use {first} and its siblings. Wait for one to end."
    )


def _with_own_servers(command: Sequence[str], data: Path, *, durable: bool) -> int:
    with handle_stop_signals():
        try:
            with (
                locked_data_folder(data) as data_folder,
                running_servers(data_folder, durable=durable) as servers,
            ):
                variables = application_variables(data_folder, servers)
                data_folder.publish(variables)
                if servers.admin_url:
                    variables["ADMIN_DATABASE_URL"] = servers.admin_url
                return run_in_foreground(command, merge_environment(variables))
        except StopRequested:
            return 128 + signal.SIGTERM


def run_in_foreground(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run `command` in the foreground of the terminal, and forward other signals than Ctrl-C to it."""
    parent = os.getpid()
    try:
        process = subprocess.Popen(  # noqa: S603
            [*command],
            env=environment,
            preexec_fn=lambda: set_parent_death_signal(signal.SIGTERM, parent),  # noqa: PLW1509
        )
    except OSError as error:
        raise EmbeddedError(f"{command[0]} could not be started: {error.strerror}.") from error

    def forward(number: int, _frame: object) -> None:
        # A terminal sends Ctrl-C to the command, too. Without a terminal only we receive it.
        if number != signal.SIGINT or not os.isatty(0):
            process.send_signal(number)

    previous_handlers = {number: signal.signal(number, forward) for number in STOP_SIGNALS}
    try:
        code = process.wait()
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code
