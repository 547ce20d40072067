"""`manage.py tenant_restore`: a new dojo from an archive."""

from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rest_framework.serializers import ValidationError

from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.restoring import restore
from shared_apps.tenants.exports.showing import showing
from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG
from shared_apps.tenants.provisioning import FirstAdmin
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope
from tatami.timezones import known_timezone


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
        slug, began = options["slug"], monotonic()
        if not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS or slug.startswith("xn--"):
            raise CommandError(f"--slug {slug}: this cannot be a dojo's subdomain.")
        try:
            if options["timezone"]:
                known_timezone(options["timezone"])
            with options["archive"].open("rb") as file, showing(self.stderr) as steps, platform_scope():
                archive = Archive(file)
                tenant, admin = restore(
                    archive,
                    name=options["name"] or archive.manifest.source.name,
                    slug=slug,
                    timezone=options["timezone"],
                    admin=FirstAdmin(email=options["admin_email"]) if options["admin_email"] else None,
                    now=clock.now(),
                    ticks=steps.restoring(archive.manifest.rows),
                )
        except (ArchiveRefused, ServiceUnavailable, SlugTaken) as refusal:
            raise CommandError(refusal.message) from None
        except ValidationError as fault:
            raise CommandError(f"--timezone: {fault.detail[0]}") from None  # type: ignore[index]
        except OSError as fault:
            raise CommandError(f"{options['archive']}: {fault.strerror}") from None
        except KeyboardInterrupt:
            raise CommandError("Stopped: nothing is left of it.", returncode=130) from None
        seconds = round(monotonic() - began, 1)
        if options["json"]:
            made = {"id": tenant.pk, "slug": slug, "schema_version": tenant.schema_version}
            more = {
                "admin": admin.email if admin else None,
                "rows": archive.manifest.rows,
                "seconds": seconds,
            }
            self.print_json({**made, **more})
            return
        self.stdout.write(f"{slug} serves: {tenant.pk}, {archive.manifest.rows:,} rows in {seconds} s")
        if admin is None:
            self.stdout.write("It has no admin who can sign in: run this again with --admin-email.")
