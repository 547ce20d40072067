"""`manage.py sweep`: what is kept no longer, said or removed, by the same list as the nightly jobs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.retention import IN_DOJOS, ON_THE_PLATFORM, Kept, survey
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope


@dataclass(frozen=True, slots=True)
class Found:
    """How much of a kind was found in a dojo, or on the platform (None)."""

    dojo: str | None
    kind: str
    kept_days: float
    found: int


class Command(BaseCommand):
    help = (
        "Remove what is kept no longer, in every dojo and on the platform, as the nightly jobs do; --dry-run only says "
        "what they would remove. Example: manage.py sweep --dry-run --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        parser.add_argument("--dojo", metavar="SLUG", help="this dojo alone, and not the platform")

    def handle(self, *args: Any, **options: Any) -> None:
        autodiscover_modules("tasks")
        dry_run, now = options["dry_run"], clock.now()
        found: list[Found] = []
        if not options["dojo"]:
            found += _here(None, ON_THE_PLATFORM, now, dry_run=dry_run)
        found += _everywhere(_dojos(options["dojo"]), now, dry_run=dry_run)
        if options["json"]:
            self.stdout.write(orjson.dumps([asdict(one) for one in found]).decode())
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
    """Return the dojos that are whole and not being deleted. Raises `CommandError` where there is none of a slug."""
    with platform_scope():
        there = Tenant.objects.with_primary_domain().filter(
            status__in=[Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED]
        )
        found = [one.scope for one in there.filter(**({"slug": slug} if slug else {})).order_by("slug")]
    if slug and not found:
        raise CommandError(f"There is no dojo {slug}, or it is being deleted.")
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
