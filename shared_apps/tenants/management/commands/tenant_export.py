"""`manage.py tenant_export`: write a complete dojo to one file."""

from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.errors import ArchiveRefused, SchemaChanged, WrongState
from shared_apps.tenants.exports.archive import ArchiveWriter
from shared_apps.tenants.exports.build import build_now, request_export
from shared_apps.tenants.exports.files import atomic_output, length_and_sha256
from shared_apps.tenants.management.command import OnCallCommand, find_tenant
from shared_apps.tenants.management.progress import Steps, show_progress
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Write all data of a dojo to one archive, as they are at this moment. The dojo is served in the meantime.

Without --output, the archive is kept in the storage like one that was requested over HTTP (POST /tenants/{id}/exports)
and deleted after TATAMI_EXPORT_DAYS. With --output, the file gets its name only when it is complete: a run that is
killed leaves FILE.part behind, which the next run starts again. The archive contains personal data and password
hashes: protect it like a backup."""
    example = """\
  manage.py tenant_export kita
  manage.py tenant_export kita --output kita.zip
  manage.py tenant_export kita --output kita.zip --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dojo", help="the dojo's slug or id")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write to this file, which must not exist"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant, output, began = find_tenant(options["dojo"]), options["output"], monotonic()
        try:
            with show_progress(self.stderr, "rows") as steps:
                result = _to_file(tenant, output, steps) if output else _to_storage(tenant, steps)
        except (ArchiveRefused, SchemaChanged, WrongState) as fault:
            raise CommandError(str(fault)) from None
        result["seconds"] = round(monotonic() - began, 1)
        if options["json"]:
            self.print_json(result)
            return
        self.stdout.write(
            f"{result['file']}: {result['rows']:,} rows, {result['bytes']:,} bytes, {result['seconds']} s"
        )
        self.stdout.write(f"sha256 {result['sha256']}")
        if result["export"]:
            self.stdout.write(
                f"export {result['export']}, kept until {result['expires_at']:%Y-%m-%d %H:%M} UTC"
            )


def _to_storage(tenant: Tenant, steps: Steps) -> dict[str, Any]:
    with platform_scope():
        export = request_export(tenant=tenant, requested_by=None, now=clock.now())
    export = build_now(
        export,
        on_total=lambda rows: steps.expect("export", rows),
        on_rows=steps.counter("export"),
    )
    if export.status != TenantExport.Status.DONE:
        raise CommandError(export.error or f"A worker has claimed the export {export.pk}: see its progress.")
    return {
        "export": export.pk,
        "file": export.name,
        "rows": export.total,
        "bytes": export.bytes,
        "sha256": export.sha256,
        "expires_at": export.expires_at,
    }


def _to_file(tenant: Tenant, output: Path, steps: Steps) -> dict[str, Any]:
    if tenant.status == Tenant.Status.PROVISIONING:
        raise WrongState("A dojo that is being created or purged cannot be exported.")
    try:
        with atomic_output(output) as file:
            manifest = ArchiveWriter(tenant, now=clock.now()).write(
                file,
                on_total=lambda rows: steps.expect("export", rows),
                on_rows=steps.counter("export"),
            )
            length, sha256 = length_and_sha256(file)
    except OSError as fault:
        raise CommandError(f"{output}: {fault.strerror}") from None
    return {
        "export": None,
        "file": str(output),
        "rows": manifest.rows,
        "bytes": length,
        "sha256": sha256,
        "expires_at": None,
    }
