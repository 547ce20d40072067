"""What is kept for a while only: one list, which the nightly jobs go by, and whoever asks what they would remove.

An app says next to its job which rows are too old, as a queryset, and how long such rows are kept:

    @kept_for("TATAMI_REFUSAL_DAYS", job="attendance.sweep")
    def refusals(until: datetime) -> QuerySet[Refusal]: …

The job itself is `sweep("attendance.sweep", now=turn.now)`. What takes more than a DELETE (files, schemas, a body that
is emptied) is a function of its own, declared by `swept_by`.
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
"""Returns the rows from before a moment, in the scope in force."""


class Sweep(Protocol):
    """Removes what is too old in the scope in force, or only counts it; returns how many."""

    def __call__(self, *, now: datetime, dry_run: bool = False) -> int: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind of things that is kept for a while only."""

    kind: str
    keep: str | timedelta
    """A setting in days, or a time that nobody needs to choose."""
    job: str
    scopes: frozenset[str]
    sweep: Sweep

    @property
    def time(self) -> timedelta:
        """Return how long it is kept."""
        return kept_time(self.keep)


_kept: dict[str, Kept] = {}


def kept_time(keep: str | timedelta) -> timedelta:
    """Return a time that may be a setting in days."""
    return timedelta(days=getattr(settings, keep)) if isinstance(keep, str) else keep


def kept_for(
    keep: str | timedelta, *, job: str, scopes: frozenset[str] = IN_DOJOS
) -> Callable[[OldRows], OldRows]:
    """Declare what the function below returns as rows that a job deletes. Its name says of which kind they are."""

    def declare(rows: OldRows) -> OldRows:
        def delete(*, now: datetime, dry_run: bool = False) -> int:
            old = rows(now - kept_time(keep))
            return old.count() if dry_run else old.delete()[1].get(old.model._meta.label, 0)

        swept_by(delete, rows.__name__, keep=keep, job=job, scopes=scopes)
        return rows

    return declare


def swept_by(sweep: Sweep, name: str, *, keep: str | timedelta, job: str, scopes: frozenset[str]) -> None:
    """Declare a function as what a job does for things of this name."""
    kind = f"{job.partition('.')[0]}.{name}"
    _kept[kind] = Kept(kind, keep, job, scopes, sweep)


def kinds(scopes: frozenset[str]) -> list[Kept]:
    """Return what is kept for a while there, by name."""
    return sorted((one for one in _kept.values() if scopes <= one.scopes), key=lambda one: one.kind)


def one_by_one(things: Iterable[T], remove: Callable[[T], bool]) -> int:
    """Remove each by itself; return how many there were to remove. For what takes more than a DELETE.

    One that cannot be removed is told of in the log and tried again the next time; it stops none behind it.
    """
    removed = 0
    for thing in things:
        try:
            removed += remove(thing)
        except Exception:
            logger.exception("retention.not_removed", what=str(thing))
    return removed


def sweep(job: str, *, now: datetime) -> None:
    """Remove what a job finds too old in the scope in force: a statement or a few for each kind."""
    for one in _kept.values():
        if one.job == job:
            one.sweep(now=now)


def survey(scopes: frozenset[str], *, now: datetime, dry_run: bool) -> Iterator[tuple[Kept, int]]:
    """Remove what is too old in the scope in force, or only count it; yield of each kind how many."""
    for one in kinds(scopes):
        yield one, one.sweep(now=now, dry_run=dry_run)
