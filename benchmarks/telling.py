"""How measurements are told."""

import sys


def say(line: str) -> None:
    """Print beside the log, whose lines go to stdout."""
    sys.stderr.write(line + "\n")


def verdict(met: bool) -> str:
    """Say whether a target was met."""
    return "(met)" if met else "(MISSED)"
