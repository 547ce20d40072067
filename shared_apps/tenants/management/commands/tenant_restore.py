"""`manage.py tenant_restore`: a new dojo from an archive."""

from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.restoring import restore
from shared_apps.tenants.exports.showing import showing
from shared_apps.tenants.management.command import OnCallCommand, in_words
from shared_apps.tenants.provisioning import FirstAdmin
from shared_apps.tenants.serializers import RestoredTenantSerializer
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Make a new dojo, with a new id, from an archive of tenant_export or of POST /tenants/{id}/exports.

The archive may be of another server, and of an earlier version of Tatami: the dojo is then migrated. A damaged one is
refused before anything is written. The dojo serves when everything is in it and was compared with the archive; a run
that is stopped leaves none behind. Everybody signs in anew, with the password of before; kiosks are paired anew."""
    example = """\
  manage.py tenant_restore kita.zip --slug kita
  manage.py tenant_restore kita.zip --slug kita-copy --name "Kita (copy)" --admin-email you@example.org
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("archive", type=Path, metavar="FILE")
        add("--slug", required=True, help="the new dojo's subdomain")
        add("--name", help="default: that of the archive")
        add("--timezone", help="default: that of the archive")
        add("--admin-email", metavar="ADDRESS", help="make this an admin; whoever is new is mailed a link")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        began = monotonic()
        given = {key: options[key] for key in ("slug", "name", "timezone") if options[key] is not None}
        if options["admin_email"] is not None:
            given["admin"] = {"email": options["admin_email"]}
        wished = RestoredTenantSerializer(data=given)
        if not wished.is_valid():
            raise CommandError(f"Nothing was made: {in_words(wished.errors)}")
        try:
            file = options["archive"].open("rb")
        except OSError as fault:
            raise CommandError(f"{options['archive']}: {fault.strerror}") from None
        values = wished.validated_data
        first = values.pop("admin", None)
        try:
            with file, showing(self.stderr) as steps, platform_scope():
                archive = Archive(file)
                values.setdefault("name", archive.manifest.source.name)
                tenant, admin = restore(
                    archive,
                    **values,
                    admin=FirstAdmin(**first) if first else None,
                    now=clock.now(),
                    ticks=steps.restoring(archive.manifest.rows),
                )
        except (ArchiveRefused, ServiceUnavailable, SlugTaken) as refusal:
            raise CommandError(refusal.message) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped: nothing is left of it.", returncode=130) from None
        seconds = round(monotonic() - began, 1)
        if options["json"]:
            made = {"id": tenant.pk, "slug": tenant.slug, "schema_version": tenant.schema_version}
            more = {
                "admin": admin.email if admin else None,
                "rows": archive.manifest.rows,
                "seconds": seconds,
            }
            self.print_json({**made, **more})
            return
        self.stdout.write(f"{tenant.slug} serves: {tenant.pk}, {archive.manifest.rows:,} rows in {seconds} s")
        if admin is None:
            self.stdout.write("It has no admin who can sign in: run this again with --admin-email.")
