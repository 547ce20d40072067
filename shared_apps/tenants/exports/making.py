"""Making the archive of an export: written beside, then handed to Django's storage, then noted as done."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from shared_apps.tenants.exports import queueing
from shared_apps.tenants.exports.contents import BLOCK_BYTES, Tick
from shared_apps.tenants.exports.errors import ArchiveRefused, ExportOvertaken, SchemaMoved
from shared_apps.tenants.exports.queueing import Claim
from shared_apps.tenants.exports.writing import ArchiveWriter
from shared_apps.tenants.models import TenantExport
from tatami import clock
from tatami.tenancy.scope import platform_scope

logger = structlog.get_logger(__name__)


def make_next_export() -> bool:
    """Make the export that has waited longest; return whether there was one to make."""
    claim = queueing.claim_export(now=clock.now())
    if claim is not None:
        make(claim)
    return claim is not None


def make_now(export: TenantExport, *, expect: Tick, tick: Tick) -> TenantExport:
    """Make an export here, rather than wait for a worker; return the row as it is then."""
    claim = queueing.claim_export(now=clock.now(), export_id=export.pk)
    if claim is not None:
        make(claim, expect=expect, tick=tick)
    with platform_scope():
        return TenantExport.objects.get(pk=export.pk)


def make(claim: Claim, *, expect: Tick = lambda _: None, tick: Tick = lambda _: None) -> None:
    """Make an export that was claimed. Errors of the database or the storage pass through: it is tried again."""
    noting = _Noting(claim, expect, tick)
    try:
        with spooled() as file:
            ArchiveWriter(claim.tenant, now=clock.now()).write(file, expect=noting.expect, tick=noting.tick)
            bytes_, sha256 = measured(file)
            queueing.renew(claim, now=clock.now(), lease=queueing.STORING, done=noting.done)
            name = stored(file, claim.file_name)
            queueing.finish(claim, bytes=bytes_, sha256=sha256, name=name, now=clock.now())
    except SchemaMoved:
        queueing.begin_again(claim, now=clock.now())
    except ArchiveRefused as refusal:
        queueing.fail(claim, error=refusal.message, now=clock.now())
    except ExportOvertaken:
        default_storage.delete(claim.file_name)
        logger.info("export_overtaken", export=str(claim.export_id))


@contextmanager
def spooled() -> Iterator[IO[bytes]]:
    """Yield a file without a name in the data folder: it is gone with the process, however that ends."""
    folder = Path(settings.DATA)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file


def measured(file: IO[bytes]) -> tuple[int, str]:
    """Return length and SHA-256 of a file, which is at its start then."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    length = file.tell()
    file.seek(0)
    return length, digest.hexdigest()


def stored(file: IO[bytes], name: str) -> str:
    """Hand a file to Django's storage; return the name under which it lies there."""
    default_storage.delete(name)  # what an earlier life of this attempt left behind
    return default_storage.save(name, File(file, name=name))


class _Noting:
    """Tells the row how far an export is, every few seconds, and whoever looks on, each time."""

    def __init__(self, claim: Claim, expect: Tick, tick: Tick) -> None:
        self.done = 0
        self._claim, self._expect, self._tick = claim, expect, tick
        self._noted_at = clock.now()

    def expect(self, total: int) -> None:
        queueing.renew(self._claim, now=clock.now(), total=total)
        self._expect(total)

    def tick(self, rows: int) -> None:
        self.done += rows
        self._tick(rows)
        now = clock.now()
        if now - self._noted_at >= queueing.RENEWED_EVERY:
            queueing.renew(self._claim, now=now, done=self.done)
            self._noted_at = now
