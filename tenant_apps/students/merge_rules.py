"""How the tables of this app are merged (see `merging`): links, records, holds and rank histories."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from tatami.text import email_key, normalise
from tenant_apps.students.errors import OwnRankChange
from tenant_apps.students.guardians import delete_unlinked, is_phone_of_person, phone_key
from tenant_apps.students.merging import (
    VOID_REASON,
    Merge,
    delete,
    drop_clashing,
    move,
    move_rows,
    register,
)
from tenant_apps.students.models import (
    EligibilitySnapshot,
    Guardian,
    RankEvent,
    Student,
    StudentFact,
    StudentGuardian,
    StudentHold,
    StudentNote,
    StudentUser,
)


def register_rules() -> None:
    """Register the rules of this app. Rank histories come first: they may refuse the merge."""
    register(RankEvent, rule=merge_rank_events)
    register(StudentFact, rule=merge_facts)
    register(StudentHold, rule=merge_holds)
    register(StudentNote, rule=move(StudentNote, "notes"))
    register(StudentGuardian, rule=merge_guardians)
    register(StudentUser, rule=drop_clashing(StudentUser, "users", show="user__name"))
    register(EligibilitySnapshot, rule=delete(EligibilitySnapshot))
    register(Student, rule=move(Student, "merged_records", field="merged_into"), field="merged_into")


# --- guardians and records ----------------------------------------------------------------------------------------


def merge_guardians(merge: Merge) -> None:
    """Move the guardians. A guardian who was entered for both is kept once.

    The evidence is that of imports (`csv.guardian_matching`): the same name and address; or the same name and number,
    unless the addresses or the relations differ.
    """
    links = StudentGuardian.objects.select_related("guardian").filter(
        student__in=[merge.kept, merge.duplicate]
    )
    by_student: dict[Any, list[StudentGuardian]] = defaultdict(list)
    for link in links:
        by_student[link.student_id].append(link)
    theirs = by_student[merge.kept.pk]
    dropped = []
    for link in by_student[merge.duplicate.pk]:
        same = next((one.guardian for one in theirs if _is_same_guardian(one, link)), None)
        if same is not None:
            dropped.append(link)
            merge.report("guardians", "same_guardian", kept=_shown(same), dropped=_shown(link.guardian))
    StudentGuardian.objects.filter(pk__in=[link.pk for link in dropped]).delete()
    move_rows(merge, StudentGuardian.objects.filter(student=merge.duplicate), "guardians")
    delete_unlinked(link.guardian_id for link in dropped)


def _is_same_guardian(link: StudentGuardian, other_link: StudentGuardian) -> bool:
    one, other = link.guardian, other_link.guardian
    if one.pk == other.pk:
        return True
    if one.search_name != other.search_name:
        return False
    if one.email and other.email:
        return email_key(one.email) == email_key(other.email)
    relation, other_relation = normalise(link.relation), normalise(other_link.relation)
    if relation and other_relation and relation != other_relation:
        return False
    digits = phone_key(one.phone)
    return digits == phone_key(other.phone) and is_phone_of_person(digits)


def _shown(guardian: Guardian) -> dict[str, str]:
    return {"name": guardian.name, "email": guardian.email, "phone": guardian.phone}


def merge_facts(merge: Merge) -> None:
    """Move the facts. A fact of both records counts once. Of two opening balances in the same unit, that of the kept
    record counts.
    """
    facts = list(StudentFact.objects.not_voided().filter(student__in=[merge.kept, merge.duplicate]))
    known = {_fact_key(fact): fact for fact in facts if fact.student_id == merge.kept.pk}
    voided = []
    for fact in facts:
        same = known.get(_fact_key(fact)) if fact.student_id == merge.duplicate.pk else None
        if same is not None:
            voided.append(fact.pk)
            is_opening = fact.kind == StudentFact.Kind.OPENING_ATTENDANCE
            rule = "one_opening_balance" if is_opening else "same_fact"
            merge.report("facts", rule, kept=_shown_fact(same), dropped=_shown_fact(fact))
    StudentFact.objects.filter(pk__in=voided).void(reason=VOID_REASON, by=merge.by, now=merge.now)
    move_rows(merge, StudentFact.objects.filter(student=merge.duplicate), "facts")


def _fact_key(fact: StudentFact) -> tuple[Any, ...]:
    if fact.kind == StudentFact.Kind.OPENING_ATTENDANCE:
        unit = fact.value.get("unit") if isinstance(fact.value, dict) else None
        return fact.kind, fact.rank_system_id, unit
    value = tuple(sorted(fact.value.items())) if isinstance(fact.value, dict) else fact.value
    return fact.kind, fact.rank_system_id, value, fact.on


def _shown_fact(fact: StudentFact) -> dict[str, Any]:
    return {"id": fact.pk, "kind": fact.kind, "value": fact.value, "on": fact.on}


def merge_holds(merge: Merge) -> None:
    """Move the holds. Those that share a day become one hold over all their days, as holds do not overlap."""
    students = [merge.kept, merge.duplicate]
    holds = list(StudentHold.objects.filter(student__in=students).order_by("starts_on", "pk"))
    joined: list[StudentHold] = []
    absorbed: list[StudentHold] = []
    for hold in holds:
        last = joined[-1] if joined else None
        if last is None or (last.until is not None and last.until < hold.starts_on):
            joined.append(hold)
            continue
        merge.report("holds", "joined_hold", kept=_shown_hold(last), dropped=_shown_hold(hold))
        last.until = None if last.until is None or hold.until is None else max(last.until, hold.until)
        last.reason = last.reason or hold.reason
        absorbed.append(hold)
    if absorbed:
        StudentHold.objects.filter(pk__in=[hold.pk for hold in absorbed]).delete()
        StudentHold.objects.bulk_update(joined, ["until", "reason"])
    move_rows(merge, StudentHold.objects.filter(student=merge.duplicate), "holds")


def _shown_hold(hold: StudentHold) -> dict[str, Any]:
    return {"id": hold.pk, "from": hold.starts_on, "until": hold.until}


# --- rank histories -----------------------------------------------------------------------------------------------


def merge_rank_events(merge: Merge) -> None:
    """Move the rank events; a step that both records have is voided in one of them.

    Of two events of one rank an award stays before an import, then the earlier one, then that of the kept record.
    Events that follow a voided one follow the other. In rank systems with a demotion, a rank may be reached twice:
    there, only events of the same rank, kind and date are one step. Raises `OwnRankChange`.
    """
    students = [merge.kept.pk, merge.duplicate.pk]
    events = list(RankEvent.objects.filter(student__in=students).select_related("rank").latest_last())
    if not any(event.student_id == merge.duplicate.pk for event in events):
        return
    if StudentUser.objects.student_ids_of(merge.by, among=students):
        raise OwnRankChange
    live = sorted(
        (one for one in events if one.voided_at is None), key=lambda one: (one.effective_on, one.pk)
    )
    replaced = _same_steps(merge, live)
    _same_awards(live, replaced)
    _write_histories(merge, live, replaced)


Replaced = dict[Any, RankEvent]
"""The id of an event that is voided → the event of the same step that stays."""


def _same_steps(merge: Merge, live: Sequence[RankEvent]) -> Replaced:
    demoted = {event.system_id for event in live if event.kind == RankEvent.Kind.DEMOTE}
    steps: dict[tuple[Any, ...], list[RankEvent]] = defaultdict(list)
    for event in live:
        is_unique = event.system_id not in demoted
        steps[(event.rank_id,) if is_unique else (event.rank_id, event.kind, event.effective_on)].append(
            event
        )
    replaced: Replaced = {}
    for same in steps.values():
        best = min(same, key=partial(_preference, merge))
        replaced |= {one.pk: best for one in same if one.student_id != best.student_id}
    return replaced


def _preference(merge: Merge, event: RankEvent) -> tuple[bool, Any, bool]:
    return event.kind != RankEvent.Kind.AWARD, event.effective_on, event.student_id != merge.kept.pk


def _same_awards(live: Sequence[RankEvent], replaced: Replaced) -> None:
    """Add the awards that would be the same step now that they follow the same event (`rank_award_once`)."""
    while True:
        seen: dict[tuple[Any, Any], RankEvent] = {}
        clashing: Replaced = {}
        for event in _staying(live, replaced):
            if event.kind == RankEvent.Kind.AWARD:
                key = (event.rank_id, _followed(event, replaced))
                if key in seen:
                    clashing[event.pk] = seen[key]
                seen.setdefault(key, event)
        if not clashing:
            return
        replaced |= clashing


def _followed(event: RankEvent, replaced: Replaced) -> Any:
    followed = event.follows_id
    while followed in replaced:
        followed = replaced[followed].pk
    return followed


def _staying(live: Iterable[RankEvent], replaced: Replaced) -> list[RankEvent]:
    return [event for event in live if event.pk not in replaced]


def _write_histories(merge: Merge, live: Sequence[RankEvent], replaced: Replaced) -> None:
    for event in live:
        if event.pk in replaced:
            kept = replaced[event.pk]
            merge.report("rank_events", "same_step", kept=_shown_event(kept), dropped=_shown_event(event))
    RankEvent.objects.filter(pk__in=list(replaced)).void(reason=VOID_REASON, by=merge.by, now=merge.now)
    changed = [event for event in _staying(live, replaced) if _followed(event, replaced) != event.follows_id]
    for event in changed:
        event.follows_id = _followed(event, replaced)
    RankEvent.objects.bulk_update(changed, ["follows"])
    move_rows(merge, RankEvent.objects.filter(student=merge.duplicate), "rank_events")


def _shown_event(event: RankEvent) -> dict[str, Any]:
    rank = {"id": event.rank_id, "name": event.rank.name}
    return {"id": event.pk, "rank": rank, "kind": event.kind, "effective_on": event.effective_on}
