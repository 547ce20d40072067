"""`python -m tatami.embedded run`: everything from nothing to a served page, and back on Ctrl-C."""

import http.client
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack

from tatami.embedded.data_folder import Claim, claimed
from tatami.embedded.environment import application_variables, data_folder, merged
from tatami.embedded.errors import EmbeddedError, PortTaken
from tatami.embedded.output import say
from tatami.embedded.programs import HOST, Application
from tatami.embedded.servers import serving
from tatami.embedded.signals import StopRequested, stop_signals
from tatami.embedded.supervisor import Supervisor

HIGHEST_PORT = 65_535
READY_WITHIN_SECONDS = 90.0
PROBE_SECONDS = 2.0
"""Short: a connection made before Granian's workers listen may never be answered."""


def run() -> int:
    """Serve until told to stop, and return 0; raise `EmbeddedError` when it cannot be done."""
    port = wanted_port(os.environ.get("PORT", ""))
    with stop_signals() as settle:
        try:
            with claimed(data_folder()) as claim:
                # Only now: the web process of a supervisor that was killed may have held it until here.
                refuse_taken_port(port)
                _serve(claim, port, settle)
        except StopRequested:
            say("stopped")
    return 0


def _serve(claim: Claim, port: int, settle: Callable[[], None]) -> None:
    supervisor = Supervisor(claim, say)
    with ExitStack() as stack:
        had_password = claim.has_secret("superadmin_password")
        say("starting PostgreSQL and Valkey")
        servers = stack.enter_context(serving(claim))
        for child in servers.children:
            supervisor.look_after(child)
        variables = application_variables(claim, servers) | {"PORT": str(port)}
        claim.publish(variables)
        application = Application(claim.path, merged(variables), port)
        supervisor.run_to_end(application.prepare())
        programs = application.programs()
        stack.callback(supervisor.stop, programs)
        stack.callback(say, "stopping")
        stack.callback(settle)
        for program in programs:
            supervisor.start(program)
        if not supervisor.watch(lambda: answer(port) == "200", within=READY_WITHIN_SECONDS):
            raise EmbeddedError(
                f"http://{HOST}:{port}/readyz did not answer 200 within {READY_WITHIN_SECONDS:.0f} s, "
                f"but {answer(port)}; the reason may be above."
            )
        made_password = not had_password and claim.has_secret("superadmin_password")
        say(summary(application, tell_password=made_password))
        supervisor.watch(lambda: False)


def wanted_port(text: str) -> int:
    """Return the port that PORT asks for, 8000 without one."""
    if not text:
        return 8000
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        raise EmbeddedError(f"PORT={text!r} is not a port: give a number from 1 to 65535.")
    return int(text)


def refuse_taken_port(port: int) -> None:
    """Raise `PortTaken` when the web process could not listen, before anything is started."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except PermissionError as error:
            raise PortTaken(
                f"Port {port} is not open to this account: choose one over 1023 with PORT."
            ) from error
        except OSError as error:
            raise PortTaken(
                f"Port {port} is taken: another program listens on it. Choose another, as in: "
                f"make run PORT={port + 1}"
            ) from error


def answer(port: int) -> str:
    """Return how the application answers when asked whether it can serve: "200" means yes."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def summary(application: Application, *, tell_password: bool) -> str:
    """Return the last thing said before the logs: where to go, and one command to try."""
    platform = f"http://localhost:{application.port}"
    email = application.environment["TATAMI_SUPERADMIN_EMAIL"]
    password = application.environment["TATAMI_SUPERADMIN_PASSWORD"] if tell_password else "<the password>"
    login = f"""curl -s {platform}/auth/login -H 'Content-Type: application/json' \\
      -d '{{"email": "{email}", "password": "{password}"}}'"""
    kept = "" if tell_password else f" (kept in {application.data / 'secrets.json'}, if it was made for you)"
    return f"""it serves. Ctrl-C stops all of it.

    Platform  {platform}      API {platform}/docs
    Dojos     http://<slug>.localhost:{application.port}

    Try       {login}
    Superadmin {email}{kept}
"""
