"""A file of the person at the command line, which has its name only when it is whole."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file, for our account alone, that gets the name `path` when the block ends well.

    Until then it is called `path` with `.part` after it, which goes with a block that fails. A process that is killed
    leaves it behind, and the next one begins it anew. Raises `OSError` where `path` is there already, where another
    process is at it, or where nothing can be written.
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
    """Be the only one who writes the file, and see that it still has its name: its maker may just have ended."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = os.path.samestat(os.fstat(file.fileno()), part.stat())
    except (BlockingIOError, FileNotFoundError):
        is_ours = False
    if not is_ours:
        raise BlockingIOError(errno.EAGAIN, "another process is writing it")
