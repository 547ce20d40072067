"""`manage.py tenant_export`: a whole dojo as one file."""

from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.exports.errors import ArchiveRefused, SchemaMoved
from shared_apps.tenants.exports.making import make_now, measured
from shared_apps.tenants.exports.output import whole_file
from shared_apps.tenants.exports.queueing import request_export
from shared_apps.tenants.exports.showing import Steps, showing
from shared_apps.tenants.exports.writing import ArchiveWriter
from shared_apps.tenants.management.command import OnCallCommand, tenant_named
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Write everything that a dojo has into one archive, as it is at this moment; the dojo goes on serving meanwhile.

Without --output the archive is kept in the storage like one that was asked for over HTTP (POST /tenants/{id}/exports),
and deleted after TATAMI_EXPORT_DAYS. With it the file has its name only when it is whole: a run that is killed leaves
FILE.part behind, which the next one begins anew. It holds personal data and password hashes: keep it as you keep a
backup."""
    example = """\
  manage.py tenant_export kita
  manage.py tenant_export kita --output kita.zip
  manage.py tenant_export kita --output kita.zip --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dojo", help="the dojo's slug or id")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write here; a file that exists is refused"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant, output, began = tenant_named(options["dojo"]), options["output"], monotonic()
        try:
            with showing(self.stderr) as steps:
                made = _to_file(tenant, output, steps) if output else _to_storage(tenant, steps)
        except (ArchiveRefused, SchemaMoved, WrongState) as fault:
            raise CommandError(str(fault)) from None
        made["seconds"] = round(monotonic() - began, 1)
        if options["json"]:
            self.print_json(made)
            return
        self.stdout.write(
            f"{made['file']}: {made['rows']:,} rows, {made['bytes']:,} bytes, {made['seconds']} s"
        )
        self.stdout.write(f"sha256 {made['sha256']}")
        if made["export"]:
            self.stdout.write(f"export {made['export']}, kept until {made['expires_at']:%Y-%m-%d %H:%M} UTC")


def _to_storage(tenant: Tenant, steps: Steps) -> dict[str, Any]:
    with platform_scope():
        export = request_export(tenant=tenant, requested_by=None, now=clock.now())
    export = make_now(
        export,
        expect=lambda rows: steps.expect("export", rows),
        tick=lambda rows: steps.tick("export", rows),
    )
    if export.status != TenantExport.Status.DONE:
        raise CommandError(export.error or "A worker has it now: look at it by its id, " + str(export.pk))
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
        raise WrongState("A dojo that is still being made cannot be exported.")
    try:
        with whole_file(output) as file:
            manifest = ArchiveWriter(tenant, now=clock.now()).write(
                file,
                expect=lambda rows: steps.expect("export", rows),
                tick=lambda rows: steps.tick("export", rows),
            )
            length, sha256 = measured(file)
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
