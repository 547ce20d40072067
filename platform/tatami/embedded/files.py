"""Files that are written atomically, folders for sockets, and log files."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tatami.embedded.errors import EmbeddedError

SOCKET_FOLDER_PREFIX = "tatami-"
LONGEST_SOCKET_PATH = 107
"""Bytes of a Unix socket's path on Linux (`sun_path` holds 108 with its NUL)."""

MAX_LOG_BYTES = 10 * 1024 * 1024


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` atomically with the JSON of `content`, in mode 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return what `write_private` wrote, or `{}` without a file. Raises `EmbeddedError` if the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise EmbeddedError(
            f"{path} is damaged ({error}): restore it from a backup, or remove the data folder."
        ) from error
    if not isinstance(content, dict):
        raise EmbeddedError(f"{path} is damaged: restore it, or remove the data folder.")
    return content


def socket_folder(socket_name: str, *, parents: Sequence[Path]) -> Path:
    """Create a folder of mode 0700 in which a socket of this name has a path short enough to bind.

    The data folder itself is not used, because its path may be longer than the 107 bytes of a socket's path.
    Raises `EmbeddedError` if none of `parents` will do.
    """
    for parent in parents:
        length = len(os.fsencode(parent / f"{SOCKET_FOLDER_PREFIX}xxxxxxxx" / socket_name))
        if length > LONGEST_SOCKET_PATH or not os.access(parent, os.W_OK | os.X_OK):
            continue
        return Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX, dir=parent))
    tried = ", ".join(str(parent) for parent in parents)
    raise EmbeddedError(f"No writable folder with a short path for sockets was found (tried {tried}).")


def socket_parents(*, same_account: bool) -> list[Path]:
    """Return the parents for socket folders, best first. Our run-time folder is closed to another user."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parents = [Path(runtime)] if runtime.startswith("/") and same_account else []
    return [*parents, Path(tempfile.gettempdir()).absolute(), Path("/tmp")]  # noqa: S108


def remove_folder(path: Path) -> None:
    """Remove a folder and its contents. A missing folder is not an error."""
    shutil.rmtree(path, ignore_errors=True)


def remove_socket_folder(path: Path) -> None:
    """Remove a folder that `socket_folder` created; leave any other alone."""
    if path.name.startswith(SOCKET_FOLDER_PREFIX):
        remove_folder(path)


def rotated(log: Path) -> Path:
    """Return `log` after rotating it if it exceeds `MAX_LOG_BYTES`. One older file is kept."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    return log


def tail(log: Path) -> str:
    """Return the last 20 lines of a log, indented for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-20:]) or "    (the log is empty)"
