"""What goes to our standard output: our own lines, and those of children that are also kept in a log."""

import os
import sys
from pathlib import Path
from typing import IO

from tatami.embedded.files import rotated
from tatami.embedded.signals import StopRequested


def say(line: str) -> None:
    """Print a line of our own among the logs."""
    write_out(f"tatami: {line}\n".encode())


def write_out(lines: bytes) -> None:
    """Write to our standard output. When nobody reads it any more, that is a wish to stop."""
    try:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise StopRequested from None


class Tee:
    """Passes one pipe on in whole lines, so that the lines of several processes do not mix."""

    def __init__(self, pipe: IO[bytes], log: Path) -> None:
        """Read `pipe` without waiting, and append to `log`."""
        self.pipe = pipe
        self._log = rotated(log).open("ab", buffering=0)
        self._rest = b""
        os.set_blocking(pipe.fileno(), False)

    def pass_on(self) -> bool:
        """Pass on what is there now; False when the pipe has ended."""
        try:
            chunk = os.read(self.pipe.fileno(), 65_536)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        whole, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
        self._write(whole + newline)
        return True

    def close(self) -> None:
        """Pass on the unfinished last line and let go of pipe and log."""
        self._write(self._rest)
        self.pipe.close()
        self._log.close()

    def _write(self, lines: bytes) -> None:
        if lines:
            self._log.write(lines)
            write_out(lines)
