"""Files of exports: on the disk of the person at the command line, in the data folder, and in the storage."""

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.signing import BadSignature
from django.urls import reverse
from django.utils.translation import gettext

from shared_apps.tenants.exports.snapshot import BLOCK_BYTES
from shared_apps.tenants.models import TenantExport
from tatami.errors import NotFound, TokenExpired
from tatami.keys import tenant_signer


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


LINK_LIFETIME: Final = timedelta(minutes=15)
_PURPOSE: Final = "download of an export"
_MAX_TOKEN_LENGTH: Final = 200


# The link from which an archive is downloaded needs no login, names one export, and is valid for a few minutes. So a
# browser or curl can open it without an access token in the address. Only superadmins get it.


def link_token(export: TenantExport, *, now: datetime) -> str:
    """Return the token of a link: the export's id and the deadline, signed with the tenant's key."""
    deadline = int((now + LINK_LIFETIME).timestamp())
    return tenant_signer(_PURPOSE, export.tenant_id).sign_object([str(export.pk), deadline])


def archive_path(export: TenantExport, *, now: datetime) -> str | None:
    """Return the link to an export's archive on the platform host, valid from `now` on; `None` until it is done."""
    if export.status != TenantExport.Status.DONE:
        return None
    path = reverse("tenant-export-archive", kwargs={"id": export.tenant_id, "export_id": export.pk})
    return f"{path}?token={link_token(export, now=now)}"


def check_link(export: TenantExport, token: str, *, now: datetime) -> None:
    """Raise `NotFound` unless `token` was signed for this export, and `TokenExpired` if its deadline has passed."""
    try:
        export_id, deadline = tenant_signer(_PURPOSE, export.tenant_id).unsign_object(
            token[:_MAX_TOKEN_LENGTH]
        )
    except BadSignature:
        raise NotFound from None
    if export_id != str(export.pk):
        raise NotFound
    if now >= datetime.fromtimestamp(deadline, tz=UTC):
        raise TokenExpired(gettext("This link has expired. Request a new one."))
