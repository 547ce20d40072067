"""Which rank events can stand in one history, and which later ones stand on an event that is voided.

The rules compare neighbours in the order of the history, whatever the order of entry. They are the same for awards,
for events recorded by hand and in files. Real histories are odd, so imports are not compared, and a conversion that no
rule allows is recorded with a note that gives the reason.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from tatami.clock import tenant_date
from tatami.errors import DomainError, Invalid
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.services import rules_in_force
from tenant_apps.students.errors import NoSuchConversion, NothingToDemote, RankOutOfOrder
from tenant_apps.students.models import RankEvent, Student

Kind = RankEvent.Kind

BEFORE_BIRTH: Final = gettext_noop("This is before the student's date of birth.")

Conversions = Collection[tuple[UUID, UUID]]
"""The conversions that rules allow: (rank converted from, rank converted to)."""


def in_order(events: Iterable[RankEvent]) -> list[RankEvent]:
    """Return events of one student and rank system in the order of `RankEventQuerySet.latest_last`."""
    return sorted(events, key=_order)


def _order(event: RankEvent) -> tuple[date, bool, int]:
    is_down = event.kind == Kind.DEMOTE
    return event.effective_on, is_down, -event.rank.position if is_down else event.rank.position


def birth_error(student: Student, effective_on: date) -> Invalid | None:
    """Return the error of a date before the student's birth, if it is one."""
    if student.birth_date and effective_on < student.birth_date:
        return Invalid.field("effective_on", gettext(BEFORE_BIRTH))
    return None


def history_errors(
    new: Collection[RankEvent], existing: Iterable[RankEvent], conversions: Conversions
) -> dict[UUID, DomainError]:
    """Return what prevents `new` events of one student and rank system, by their ids. No statement.

    Each new event is compared with the one before it, and with the one after it unless that is new as well. Events that
    are prevented do not count for the others.
    """
    ids = {event.pk for event in new}
    found: dict[UUID, DomainError] = {}
    history: list[RankEvent] = []
    for event in in_order([*existing, *new]):
        error = error_after(history[-1] if history else None, event, conversions) if event.pk in ids else None
        if error:
            found[event.pk] = error
        else:
            history.append(event)
    for event, after in pairwise(history):
        if event.pk in ids and after.pk not in ids and (error := error_before(event, after)):
            found[event.pk] = error
    return found


def error_after(before: RankEvent | None, event: RankEvent, conversions: Conversions) -> DomainError | None:
    """Return what prevents an event after the one that is before it in the history (None: it is the first)."""
    if event.kind == Kind.DEMOTE:
        if before is None:
            return NothingToDemote()
        if event.rank.position > before.rank.position:
            message = gettext("A demotion leads down: the student holds {rank} on this day.")
            return RankOutOfOrder(message.format(rank=before.rank.name), details=_named(before))
    elif event.kind == Kind.CONVERT:
        allowed = before is not None and (before.rank_id, event.rank_id) in conversions
        if not allowed and not event.note:
            return NoSuchConversion(details=_named(before))
    elif event.kind == Kind.AWARD and before is not None and event.rank.position < before.rank.position:
        message = gettext("The student holds {rank} on this day, which is the higher rank.")
        return RankOutOfOrder(message.format(rank=before.rank.name), details=_named(before))
    return None


def error_before(event: RankEvent, after: RankEvent) -> DomainError | None:
    """Return what prevents an event before the one that is after it: the history would go the wrong way there."""
    if event.kind not in {Kind.AWARD, Kind.DEMOTE} or after.kind == Kind.CONVERT:
        return None
    difference = after.rank.position - event.rank.position
    if difference > 0 if after.kind == Kind.DEMOTE else difference < 0:
        if after.kind == Kind.DEMOTE:
            message = gettext(
                "The student was demoted to {rank} on a later day, which does not follow this rank."
            )
        else:
            message = gettext("The student received {rank} on a later day, which does not follow this rank.")
        return RankOutOfOrder(message.format(rank=after.rank.name), details=_named(after))
    return None


def _named(event: RankEvent | None) -> dict[str, object] | None:
    return {"rank_events": [event_data(event)]} if event else None


def event_data(event: RankEvent) -> dict[str, object]:
    """Return a rank event as the details of errors name it."""
    return {
        "id": event.pk,
        "student": {"id": event.student_id, "name": event.student.name},
        "rank": {"id": event.rank_id, "name": event.rank.name},
        "kind": event.kind,
        "effective_on": event.effective_on,
    }


def conversions_in_force() -> Conversions:
    """Return the conversions that the rules of all rank systems allow today. Two statements."""
    return {
        (origin.pk, target.pk)
        for rules in rules_in_force(on=tenant_date())
        for step in rules.definition.steps
        if step.type is StepType.CONVERT
        if (origin := rules.ranks.get(step.origin or "")) and (target := rules.ranks.get(step.to))
    }


def standing_on(voided: Collection[RankEvent], histories: Sequence[RankEvent]) -> list[RankEvent]:
    """Return the awards and conversions that stand on events which are voided, in order. No statement.

    `histories` holds all events of the students and rank systems concerned that are not voided, `voided` included, with
    their ranks. What follows an event up to the next import or demotion stands on it, unless the same rank was held
    before it as well.
    """
    ids = {event.pk for event in voided}
    by_history: dict[tuple[UUID, UUID], list[RankEvent]] = {}
    for event in histories:
        by_history.setdefault((event.student_id, event.system_id), []).append(event)
    found = []
    for events in by_history.values():
        is_taken_away, held = False, None
        for event in in_order(events):
            if event.pk in ids:
                is_taken_away = is_taken_away or held != event.rank_id
                continue
            if event.kind in {Kind.IMPORT, Kind.DEMOTE}:
                is_taken_away = False
            elif is_taken_away:
                found.append(event)
            held = event.rank_id
    return found
