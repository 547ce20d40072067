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
METRICS_PORT = 9464
"""Where Prometheus finds the web process unless TATAMI_METRICS_PORT says otherwise; the worker is one higher."""
READY_WITHIN_SECONDS = 90.0
PROBE_SECONDS = 2.0
"""Short: a connection made before Granian's workers listen may never be answered."""


def run() -> int:
    """Serve until told to stop, and return 0; raise `EmbeddedError` when it cannot be done."""
    port = wanted_port(os.environ.get("PORT", ""))
    metrics_port = wanted_port(os.environ.get("TATAMI_METRICS_PORT", ""), "TATAMI_METRICS_PORT", METRICS_PORT)
    with stop_signals() as settle:
        try:
            with claimed(data_folder()) as claim:
                # Only now: the web process of a supervisor that was killed may have held it until here.
                refuse_taken_port(port)
                _serve(claim, port, free_metrics_port(metrics_port), settle)
        except StopRequested:
            say("stopped")
    return 0


def _serve(claim: Claim, port: int, metrics_port: int, settle: Callable[[], None]) -> None:
    supervisor = Supervisor(claim, say)
    with ExitStack() as stack:
        had_password = claim.has_secret("superadmin_password")
        say("starting PostgreSQL and Valkey")
        servers = stack.enter_context(serving(claim))
        for child in servers.children:
            supervisor.look_after(child)
        ports = {"PORT": str(port), "TATAMI_METRICS_PORT": str(metrics_port)}
        variables = application_variables(claim, servers) | ports
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


def wanted_port(text: str, variable: str = "PORT", default: int = 8000) -> int:
    """Return the port that a variable asks for, `default` without one. Only the metrics can be off, by 0."""
    if not text:
        return default
    # The worker's metrics are one port higher.
    lowest, highest = (1, HIGHEST_PORT) if variable == "PORT" else (0, HIGHEST_PORT - 1)
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise EmbeddedError(f"{variable}={text!r} is not a port: give a number from {lowest} to {highest}.")
    return int(text)


def free_metrics_port(port: int) -> int:
    """Return the port of the web process's metrics, 0 for none; the worker's is one higher.

    Raises `PortTaken` for one that somebody asked for. Nobody asked for the usual one: without it there are none.
    """
    try:
        for each in (port, port + 1) if port else ():
            refuse_taken_port(each, "TATAMI_METRICS_PORT")
    except PortTaken as taken:
        if os.environ.get("TATAMI_METRICS_PORT"):
            raise
        say(f"no metrics: {taken}")
        return 0
    return port


def refuse_taken_port(port: int, variable: str = "PORT") -> None:
    """Raise `PortTaken` when nobody of ours could listen there, before anything is started."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except PermissionError as error:
            raise PortTaken(
                f"Port {port} is not open to this account: choose one over 1023 with {variable}."
            ) from error
        except OSError as error:
            raise PortTaken(
                f"Port {port} is taken: another program listens on it. Choose another, as in: "
                f"make run {variable}={port + (1 if variable == 'PORT' else 10)}"
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
    metrics = application.environment.get("TATAMI_METRICS_PORT", "0")
    told = f"http://{HOST}:{metrics}/metrics; the worker's: one port higher" if metrics != "0" else "off"
    return f"""it serves. Ctrl-C stops all of it.

    Platform  {platform}      API {platform}/docs
    Dojos     http://<slug>.localhost:{application.port}
    Metrics   {told}

    Try       {login}
    Superadmin {email}{kept}
"""
