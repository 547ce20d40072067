"""Which account PostgreSQL runs as: it refuses to be root, so root hands it to an unprivileged one.

Permissions outside our own folders are never changed. Where a parent folder keeps the account out (a clone
below /root, say), the server keeps one capability, CAP_DAC_READ_SEARCH: it may pass folders and read files,
and write nothing more than its account may.
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

UNPRIVILEGED = "nobody"
CAP_CHOWN, CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 0, 2, 6, 7, 8
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522

ON_LINUX = sys.platform == "linux"
# Loaded here and not after fork(): there, nothing may allocate more than it must.
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
class Account:
    """An account to give up root for, and whether it keeps the right to pass closed folders."""

    uid: int
    gid: int
    passes_folders: bool = False


def server_account(needed: Iterable[Path]) -> Account | None:
    """Return the account for a server that must reach `needed`; None: we are not root, and run it ourselves.

    Raises `NotReachable` when the account cannot reach one of them and the capability is not to be had.
    """
    if os.geteuid() != 0:
        return None
    if not _we_hold(CAP_CHOWN, CAP_SETGID, CAP_SETUID):
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this root may not hand it to another account (a container "
            "without CAP_SETUID?): run this as an ordinary user."
        )
    account = _named(UNPRIVILEGED)
    closed = [path for path in needed if not is_reachable(path, account)]
    if not closed:
        return account
    if not (ON_LINUX and _we_hold(CAP_DAC_READ_SEARCH, CAP_SETPCAP)):
        raise NotReachable(
            f"PostgreSQL does not run as root, and the account {UNPRIVILEGED!r} cannot reach {closed[0]} "
            "(a folder above it is closed to other accounts). Set TATAMI_DATA to a folder that everybody may "
            "pass, move the checkout to such a place, or run this as an ordinary user."
        )
    return replace(account, passes_folders=True)


def _named(name: str) -> Account:
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no account {name!r} to run it: "
            "run this as an ordinary user."
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def is_reachable(path: Path, account: Account) -> bool:
    """Say whether `account` may pass every folder down to `path` (or read a file), by mode bits alone."""
    path = path.resolve()
    readable = stat.S_IXOTH if path.is_dir() else stat.S_IROTH
    parents_open = all(_allows(parent.stat(), account, stat.S_IXOTH) for parent in path.parents)
    return parents_open and _allows(path.stat(), account, readable)


def _allows(status: os.stat_result, account: Account, bit: int) -> bool:
    if status.st_uid == account.uid:
        bit <<= 6
    elif status.st_gid == account.gid:
        bit <<= 3
    return bool(status.st_mode & bit)


def _we_hold(*capabilities: int) -> bool:
    """Say whether we hold these capabilities: a container's root often lacks some."""
    if not ON_LINUX:
        return True
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return all(held & (1 << capability) for capability in capabilities)


def become(account: Account) -> None:
    """Give up root for good, in a child between fork and exec."""
    if account.passes_folders:
        # Without this bit access(2), by which PostgreSQL looks for its own programs, ignores capabilities.
        _check(_libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if account.passes_folders:
        header = _CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)
        bit = 1 << CAP_DAC_READ_SEARCH
        sets = (_CapabilitySet * 2)(_CapabilitySet(bit, bit, bit), _CapabilitySet(0, 0, 0))
        _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)))
        _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0))


def die_with_parent(death_signal: int, parent: int) -> None:
    """Have the kernel send us `death_signal` when `parent` dies, however it dies. Linux only.

    Called after `become`: a change of account forgets it. A parent that died in between is noticed here.
    """
    if ON_LINUX:
        _check(_libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
        if os.getppid() != parent:
            os._exit(1)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
