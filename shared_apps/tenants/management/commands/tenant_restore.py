"""`manage.py tenant_restore`: create a dojo from an archive."""

from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.errors import ArchiveRefused, SlugTaken
from shared_apps.tenants.exports.archive import ArchiveReader
from shared_apps.tenants.exports.restore import RestoreCallbacks, restore
from shared_apps.tenants.management.command import OnCallCommand, format_errors
from shared_apps.tenants.management.progress import Steps, show_progress
from shared_apps.tenants.provisioning import FirstAdmin
from shared_apps.tenants.serializers import RestoredTenantSerializer
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Create a dojo, with a new id, from an archive of tenant_export or of POST /tenants/{id}/exports.

The archive may come from another server, and from an earlier version of Tatami: the dojo is then migrated. A damaged
archive is refused before anything is written. The dojo becomes active when all data are in it and were compared with
the archive; a run that is stopped leaves nothing behind. All users sign in again, with their old passwords. Kiosks
must be paired again."""
    example = """\
  manage.py tenant_restore kita.zip --slug kita
  manage.py tenant_restore kita.zip --slug kita-copy --name "Kita (copy)" --admin-email you@example.org
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("archive", type=Path, metavar="FILE")
        add("--slug", required=True, help="the new dojo's subdomain")
        add("--name", help="default: the name in the archive")
        add("--timezone", help="default: the time zone in the archive")
        add("--admin-email", metavar="ADDRESS", help="add this admin; a new user is mailed a link")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        began = monotonic()
        given = {key: options[key] for key in ("slug", "name", "timezone") if options[key] is not None}
        if options["admin_email"] is not None:
            given["admin"] = {"email": options["admin_email"]}
        serializer = RestoredTenantSerializer(data=given)
        if not serializer.is_valid():
            raise CommandError(f"No dojo was created: {format_errors(serializer.errors)}")
        try:
            file = options["archive"].open("rb")
        except OSError as fault:
            raise CommandError(f"{options['archive']}: {fault.strerror}") from None
        values = serializer.validated_data
        first = values.pop("admin", None)
        try:
            with file, show_progress(self.stderr, "rows") as steps, platform_scope():
                archive = ArchiveReader(file)
                values.setdefault("name", archive.manifest.source.name)
                tenant, admin = restore(
                    archive,
                    **values,
                    admin=FirstAdmin(**first) if first else None,
                    now=clock.now(),
                    callbacks=_callbacks(steps, archive.manifest.rows),
                )
        except (ArchiveRefused, ServiceUnavailable, SlugTaken) as refusal:
            raise CommandError(refusal.message) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was left behind.", returncode=130) from None
        seconds = round(monotonic() - began, 1)
        if options["json"]:
            self.print_json(
                {
                    "id": tenant.pk,
                    "slug": tenant.slug,
                    "schema_version": tenant.schema_version,
                    "admin": admin.email if admin else None,
                    "rows": archive.manifest.rows,
                    "seconds": seconds,
                }
            )
            return
        self.stdout.write(
            f"{tenant.slug} is active: {tenant.pk}, {archive.manifest.rows:,} rows in {seconds} s"
        )
        if admin is None:
            self.stdout.write("It has no admin who can sign in. Run this again with --admin-email.")


def _callbacks(steps: Steps, rows: int) -> RestoreCallbacks:
    """Show a restore as three steps: each row is checked, loaded and compared."""
    for step in ("check", "load", "compare"):
        steps.expect(step, rows)
    return RestoreCallbacks(
        on_checked=steps.counter("check"),
        on_loaded=steps.counter("load"),
        on_compared=steps.counter("compare"),
    )
