"""Run PostgreSQL as an unprivileged user, because it refuses to run as root.

We never change permissions outside our own folders. If a parent folder is closed to the user (for example a clone below
/root), the server keeps one capability, CAP_DAC_READ_SEARCH: it can enter folders and read files, but it can write only
what the user can write.
"""

import ctypes
import os
import pwd
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tatami.embedded.errors import EmbeddedError, NotReachable

USER_NAME = "nobody"
CAP_CHOWN, CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 0, 2, 6, 7, 8
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522

ON_LINUX = sys.platform == "linux"
# Loaded here, because code between fork() and exec() should not allocate memory.
_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class UnprivilegedUser:
    """A user that root switches to, and whether the process keeps the capability to enter closed folders."""

    uid: int
    gid: int
    can_enter_closed_folders: bool = False


def server_user(needed: Iterable[Path]) -> UnprivilegedUser | None:
    """Return the user that runs a server which must reach the paths `needed`; `None` if we are not root.

    Raises `NotReachable` if the user cannot reach one of them and the capability is not available, and `EmbeddedError`
    if root cannot switch users here.
    """
    if os.geteuid() != 0:
        return None
    if not _has_capabilities(CAP_CHOWN, CAP_SETGID, CAP_SETUID):
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this root cannot switch to another user (a container "
            "without CAP_SETUID?). Run this command as an ordinary user."
        )
    user = _find_user(USER_NAME)
    closed = [path for path in needed if not is_reachable(path, user)]
    if not closed:
        return user
    if not (ON_LINUX and _has_capabilities(CAP_DAC_READ_SEARCH, CAP_SETPCAP)):
        raise NotReachable(
            f"PostgreSQL does not run as root, and the user {USER_NAME!r} cannot reach {closed[0]} "
            "(a parent folder is closed to other users). Set TATAMI_DATA to a folder that all users can "
            "enter, move the checkout to such a folder, or run this command as an ordinary user."
        )
    return replace(user, can_enter_closed_folders=True)


def _find_user(name: str) -> UnprivilegedUser:
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the user {name!r} does not exist. "
            "Run this command as an ordinary user."
        ) from error
    return UnprivilegedUser(entry.pw_uid, entry.pw_gid)


def is_reachable(path: Path, user: UnprivilegedUser) -> bool:
    """Return whether `user` can enter every folder down to `path` (or read the file), by mode bits alone."""
    path = path.resolve()
    readable = stat.S_IXOTH if path.is_dir() else stat.S_IROTH
    parents_open = all(_allows(parent.stat(), user, stat.S_IXOTH) for parent in path.parents)
    return parents_open and _allows(path.stat(), user, readable)


def _allows(status: os.stat_result, user: UnprivilegedUser, bit: int) -> bool:
    if status.st_uid == user.uid:
        bit <<= 6
    elif status.st_gid == user.gid:
        bit <<= 3
    return bool(status.st_mode & bit)


def _has_capabilities(*capabilities: int) -> bool:
    """Return whether this process has these capabilities. Root in a container often lacks some."""
    if not ON_LINUX:
        return True
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return all(held & (1 << capability) for capability in capabilities)


def switch_to(user: UnprivilegedUser) -> None:
    """Give up root permanently. Call it in the child, between fork and exec."""
    if user.can_enter_closed_folders:
        # PostgreSQL finds its own programs with access(2), which ignores capabilities unless this bit is set.
        _check(_libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(user.gid)
    os.setuid(user.uid)
    if user.can_enter_closed_folders:
        header = _CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)
        bit = 1 << CAP_DAC_READ_SEARCH
        sets = (_CapabilitySet * 2)(_CapabilitySet(bit, bit, bit), _CapabilitySet(0, 0, 0))
        _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)))
        _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0))


def set_parent_death_signal(death_signal: int, parent: int) -> None:
    """Ask the kernel to send this process `death_signal` when `parent` dies for any reason. Linux only.

    Call it after `switch_to`, because changing the user clears the setting. If the parent died in between, exit.
    """
    if ON_LINUX:
        _check(_libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
        if os.getppid() != parent:
            os._exit(1)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
