"""CPU time and memory of a server: its process and all descendants, those that ended included."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in milliseconds, resident memory in bytes."""

    cpu_ms: float
    resident: int


def usage(pid: int) -> Usage:
    """Return what a process and its descendants have used up to now."""
    root = psutil.Process(pid)
    cpu = resident = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
            cpu += times.user + times.system + times.children_user + times.children_system
            resident += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return Usage(cpu * 1000, int(resident))


def private_memory(pid: int) -> int:
    """Return the bytes of a process that no other shares (a database connection without shared buffers)."""
    return int(psutil.Process(pid).memory_full_info().uss)
