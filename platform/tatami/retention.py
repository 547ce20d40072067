"""Retention: one list of the data that is deleted after some time. Jobs and the `sweep` command use it.

An app declares next to its job which rows are too old, as a queryset, and how long they are kept:

    @delete_after("TATAMI_REFUSAL_DAYS", job="attendance.sweep")
    def refusals(until: datetime) -> QuerySet[Refusal]: …

Most of the jobs run at night, some hourly. The job calls `sweep("attendance.sweep", now=run.now)`. A cleanup that needs
more than a DELETE (files, schemas) is a function that is registered with `register_cleanup`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import structlog
from django.conf import settings
from django.db.models import QuerySet

logger = structlog.get_logger(__name__)
T = TypeVar("T")

IN_DOJOS: Final = frozenset({"dojo"})
ON_THE_PLATFORM: Final = frozenset({"platform"})
EVERYWHERE: Final = IN_DOJOS | ON_THE_PLATFORM

OldRows = Callable[[datetime], QuerySet[Any]]
"""Returns the rows from before an instant, in the current scope."""


class Cleanup(Protocol):
    """Removes outdated data in the current scope, or only counts it if `dry_run`; returns the number."""

    def __call__(self, *, now: datetime, dry_run: bool = False) -> int: ...


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long one kind of data is kept, and how it is removed."""

    kind: str
    keep: str | timedelta
    """The name of a setting in days, or a fixed period."""
    job: str
    scopes: frozenset[str]
    sweep: Cleanup

    @property
    def time(self) -> timedelta:
        """Return the retention period."""
        return retention_period(self.keep)


_rules: dict[str, RetentionRule] = {}


def retention_period(keep: str | timedelta) -> timedelta:
    """Return a fixed period, or the period of a setting in days."""
    return timedelta(days=getattr(settings, keep)) if isinstance(keep, str) else keep


def delete_after(
    keep: str | timedelta, *, job: str, scopes: frozenset[str] = IN_DOJOS
) -> Callable[[OldRows], OldRows]:
    """Declare that `job` deletes the rows that the decorated function returns. Its name becomes the kind of data."""

    def declare(rows: OldRows) -> OldRows:
        def delete(*, now: datetime, dry_run: bool = False) -> int:
            old = rows(now - retention_period(keep))
            return old.count() if dry_run else old.delete()[1].get(old.model._meta.label, 0)

        register_cleanup(delete, rows.__name__, keep=keep, job=job, scopes=scopes)
        return rows

    return declare


def register_cleanup(
    cleanup: Cleanup, name: str, *, keep: str | timedelta, job: str, scopes: frozenset[str]
) -> None:
    """Declare that `job` calls `cleanup` for data of this name."""
    kind = f"{job.partition('.')[0]}.{name}"
    _rules[kind] = RetentionRule(kind, keep, job, scopes, cleanup)


def rules_for(scopes: frozenset[str]) -> list[RetentionRule]:
    """Return the rules that apply in these scopes, ordered by kind."""
    return sorted((rule for rule in _rules.values() if scopes <= rule.scopes), key=lambda rule: rule.kind)


def remove_each(items: Iterable[T], remove: Callable[[T], bool]) -> int:
    """Remove items one by one, for what needs more than a DELETE; return how many were removed.

    If an item cannot be removed, log the error and continue. The next sweep tries it again.
    """
    removed = 0
    for item in items:
        try:
            removed += remove(item)
        except Exception:
            logger.exception("retention.not_removed", what=str(item))
    return removed


def sweep(job: str, *, now: datetime) -> None:
    """Remove the outdated data of a job in the current scope, with a few statements for each kind."""
    for rule in _rules.values():
        if rule.job == job:
            rule.sweep(now=now)


def run_cleanups(
    scopes: frozenset[str], *, now: datetime, dry_run: bool
) -> Iterator[tuple[RetentionRule, int]]:
    """Remove all outdated data in the current scope, or only count it; yield each rule with its number."""
    for rule in rules_for(scopes):
        yield rule, rule.sweep(now=now, dry_run=dry_run)
