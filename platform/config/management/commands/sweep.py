"""`manage.py sweep`: what is kept no longer, said or removed, by the same list as the nightly jobs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.retention import IN_DOJOS, ON_THE_PLATFORM, Kept, survey
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope


@dataclass(frozen=True, slots=True)
class Found:
    """How much of a kind was found in a dojo, or on the platform (None)."""

    dojo: str | None
    kind: str
    kept_days: float
    found: int


class Command(OnCallCommand):
    help = """\
Remove what is kept no longer, in every dojo that serves and on the platform, as the nightly jobs do.

With --dry-run it only says what they would remove. A dojo that is too far behind this code is named and passed over."""
    example = """\
  manage.py sweep --dry-run
  manage.py sweep --dojo kita --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
        parser.add_argument("--dojo", metavar="SLUG", help="this dojo alone, and not the platform")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        autodiscover_modules("tasks")
        dry_run, now = options["dry_run"], clock.now()
        dojos = _dojos(options["dojo"])
        found: list[Found] = []
        try:
            if not options["dojo"]:
                found += _here(None, ON_THE_PLATFORM, now, dry_run=dry_run)
            found += _everywhere([dojo for dojo in dojos if not dojo.is_behind], now, dry_run=dry_run)
        except ServiceUnavailable as away:
            raise CommandError(away.message) from None
        for dojo in dojos:
            if dojo.is_behind:
                self.stderr.write(f"{dojo.slug} is too far behind this code: passed over")
        if options["json"]:
            self.print_json([asdict(one) for one in found])
            return
        total = 0
        for one in found:
            total += one.found
            if one.found:
                self.stdout.write(
                    f"{one.dojo or 'platform':<40} {one.kind:<32} {one.found:>9}  (kept {one.kept_days:g} days)"
                )
        self.stdout.write(f"{total} {'would be' if dry_run else 'were'} removed")


def _dojos(slug: str | None) -> list[TenantScope]:
    """Return the dojos that serve, as the nightly jobs do. Raises `CommandError` where there is none of a slug."""
    with platform_scope():
        there = Tenant.objects.with_primary_domain().filter(status=Tenant.Status.ACTIVE)
        found = [one.scope for one in there.filter(**({"slug": slug} if slug else {})).order_by("slug")]
    if slug and not found:
        raise CommandError(f"There is no dojo {slug} that serves.")
    return found


def _everywhere(dojos: Iterable[TenantScope], now: datetime, *, dry_run: bool) -> Iterator[Found]:
    for dojo in dojos:
        with tenant_scope(dojo):
            yield from list(_here(dojo.slug, IN_DOJOS, now, dry_run=dry_run))


def _here(dojo: str | None, scopes: frozenset[str], now: datetime, *, dry_run: bool) -> Iterator[Found]:
    for kept, found in survey(scopes, now=now, dry_run=dry_run):
        yield Found(dojo, kept.kind, _days(kept), found)


def _days(kept: Kept) -> float:
    return round(kept.time.total_seconds() / 86_400, 3)
