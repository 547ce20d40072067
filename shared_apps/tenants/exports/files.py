"""Files of exports: on the disk of the person at the command line, in the data folder, and in the storage."""

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from shared_apps.tenants.exports.snapshot import BLOCK_BYTES


@contextmanager
def atomic_output(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that is renamed to `path` when the block ends without an error. Only this account can read it.

    Until then its name is `path` with `.part` appended; if the block fails, it is deleted. A killed process leaves it
    behind, and the next one starts it again. Raises `OSError` if `path` exists, if another process is writing it, or
    if it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        _lock(file, part)
        try:
            _refuse_existing(path)
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            _refuse_existing(path)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _lock(file: IO[bytes], part: Path) -> None:
    """Lock the file, and check that it still has its name: the process that created it may just have ended."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked = os.path.samestat(os.fstat(file.fileno()), part.stat())
    except (BlockingIOError, FileNotFoundError):
        is_locked = False
    if not is_locked:
        raise BlockingIOError(errno.EAGAIN, "another process is writing it")


@contextmanager
def temporary_file() -> Iterator[IO[bytes]]:
    """Yield a file without a name in the data folder. It disappears with the process, even if that is killed."""
    folder = Path(settings.DATA)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file


def length_and_sha256(file: IO[bytes]) -> tuple[int, str]:
    """Return the length and the SHA-256 of a file, and move to its start."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    length = file.tell()
    file.seek(0)
    return length, digest.hexdigest()


def store_file(file: IO[bytes], name: str) -> str:
    """Save a file in Django's storage; return its name there."""
    default_storage.delete(name)  # an earlier run of the same attempt may have left it
    return default_storage.save(name, File(file, name=name))
