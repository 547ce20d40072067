"""Take in a student from another dojo: read the export of one person (`GET /students/{id}/export`) as a new student.

What comes with a person: the fields of the student, guardians, notes, holds, facts, rank history and attendance. Ranks
and rank systems are found by name, code and preset. Awards become `import` events, as this dojo did not award them.
Sessions of another dojo do not exist here, so attendance becomes opening balances: the days of training between two
ranks are one balance, dated the last of these days. So criteria count what was attended after each rank.

Cards, logins, mails, enrolments, exams, certificates and approvals stay with the other dojo. What cannot be taken in is
listed in the response. The other dojo keeps its record until it erases it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext, gettext_noop
from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import InstantField, MultiLineField, SingleLineField
from tatami.api.serializers import ReferenceSerializer, TypedSerializer
from tatami.errors import UNKNOWN_FIELD
from tatami.text import normalise
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.rank_lookup import RankLookup, RankSystemLookup, UnknownRank
from tenant_apps.students.csv.pipeline import wait_for_other_imports
from tenant_apps.students.errors import ExternalIdTaken, PossibleDuplicate
from tenant_apps.students.history import add_rank_events
from tenant_apps.students.models import RankEvent, Student, StudentFact, StudentHold, StudentNote
from tenant_apps.students.privacy import part_names
from tenant_apps.students.serializers import (
    LONGEST_NAME,
    FactValueField,
    GuardianSerializer,
    NearDate,
    PlausibleDate,
    StudentSerializer,
    value_field,
)
from tenant_apps.students.services import create_student

MOST_ROWS: Final = 10_000
"""How many rows each part of a document may have."""
STUDENT_FIELDS: Final = (
    "first_name",
    "last_name",
    "preferred_name",
    "name_order",
    "email",
    "phone",
    "birth_date",
    "gender",
    "joined_on",
    "external_id",
    "licence_number",
)
_NO_SYSTEM: Final = gettext_noop("This dojo has no rank system for this discipline.")


@dataclass(slots=True)
class Transfer:
    """A student who was taken in, and what was left out: what it is, why, and the text that names it."""

    student: Student
    imported: dict[str, int] = field(default_factory=dict)
    left_out: list[dict[str, str]] = field(default_factory=list)

    def leave_out(self, what: str, reason: str, value: str) -> None:
        """Note something that was not taken in. Equal notes are listed once."""
        note = {"what": what, "reason": reason, "value": value}
        if note not in self.left_out:
            self.left_out.append(note)


@transaction.atomic
def take_in(document: Mapping[str, Any], *, by: User, dry_run: bool, allow_duplicates: bool) -> Transfer:
    """Create a student from `document`, what `TransferSerializer` validated. Statements do not depend on its size.

    With `dry_run` nothing is written. Raises `PossibleDuplicate` if there is a student of this name (so a document that
    is sent twice is refused), unless `allow_duplicates`. Concurrent calls run one after the other.
    """
    wait_for_other_imports()
    values = dict(document["student"])
    namesakes = Student.objects.namesakes(
        values["first_name"], values.get("last_name", ""), born_on=values.get("birth_date")
    )
    if namesakes and not allow_duplicates:
        shown = [{"id": one.pk, "name": one.name, "birth_date": one.birth_date} for one in namesakes]
        raise PossibleDuplicate(details={"possible_duplicates": shown})
    transfer = Transfer(_create(values))
    transfer.imported["guardians"] = len(values.get("guardians", ()))
    source = document.get("dojo", {}).get("name", "")
    events = _add_events(transfer, document["rank_events"], by=by, source=source)
    systems = RankSystemLookup.load()
    facts = _facts(transfer, document["facts"], systems, by=by)
    balances = _balances(transfer, document["attendance"], events, by=by, source=source)
    StudentFact.objects.bulk_create([*facts, *balances])
    _add_notes(transfer, document["notes"])
    _add_holds(transfer, document["holds"])
    transaction.set_rollback(dry_run)
    return transfer


def _create(values: dict[str, Any]) -> Student:
    try:
        with transaction.atomic():
            return create_student(values=values)
    except ExternalIdTaken:
        return create_student(values={**values, "external_id": None})


def _add_events(
    transfer: Transfer, rows: Sequence[Mapping[str, Any]], *, by: User, source: str
) -> list[RankEvent]:
    lookup, events = RankLookup.load(), dict[tuple[Any, ...], RankEvent]()
    for row in rows:
        if row["voided"]:
            continue
        try:
            rank = _find_rank(lookup, row)
        except UnknownRank as error:
            transfer.leave_out(
                "rank_events", str(error), f"{row['rank_system']['name']}: {row['rank']['name']}"
            )
            continue
        is_award = row["kind"] == RankEvent.Kind.AWARD
        event = RankEvent(
            student=transfer.student,
            rank=rank,
            system_id=rank.system_id,
            kind=RankEvent.Kind.IMPORT if is_award else row["kind"],
            effective_on=row["effective_on"],
            note=row["note"] or (f"Awarded by {source}"[:500] if is_award and source else ""),
            recorded_by=by,
        )
        events.setdefault((rank.pk, event.kind, event.effective_on), event)
    add_rank_events(list(events.values()))
    transfer.imported["rank_events"] = len(events)
    return list(events.values())


def _find_rank(lookup: RankLookup, row: Mapping[str, Any]) -> Rank:
    """Return the rank by system and name, else by code, else with the system's preset. Raises `UnknownRank`."""
    systems = [row["rank_system"]["name"], *filter(None, [row["preset"]])]
    texts = [*filter(None, [row["rank_code"]]), row["rank"]["name"]]
    first: UnknownRank | None = None
    for system in systems:
        for text in texts:
            try:
                return lookup.find(system, text)
            except UnknownRank as error:
                first = first or error
    assert first is not None
    raise first


def _facts(
    transfer: Transfer, rows: Sequence[Mapping[str, Any]], systems: RankSystemLookup, *, by: User
) -> list[StudentFact]:
    facts = []
    for row in rows:
        if row["voided"]:
            continue
        if row["kind"] == StudentFact.Kind.APPROVAL:
            transfer.leave_out(
                "facts", gettext("Approvals are given by users of this dojo."), str(row["value"])
            )
            continue
        system: RankSystem | None = None
        if row["rank_system"]:
            try:
                system = _find_system(systems, row)
            except UnknownRank as error:
                transfer.leave_out("facts", str(error), row["rank_system"]["name"])
                continue
        own = {name: row[name] for name in ("kind", "value", "on", "expires_on", "note")}
        facts.append(StudentFact(student=transfer.student, rank_system=system, recorded_by=by, **own))
    transfer.imported["facts"] = len(facts)
    return facts


def _find_system(systems: RankSystemLookup, row: Mapping[str, Any]) -> RankSystem:
    """Return the rank system by name, else by preset. Raises `UnknownRank`."""
    try:
        return systems.find(row["rank_system"]["name"])
    except UnknownRank:
        if not row["preset"]:
            raise
        return systems.find(row["preset"])


def _balances(
    transfer: Transfer,
    visits: Iterable[Mapping[str, Any]],
    events: Sequence[RankEvent],
    *,
    by: User,
    source: str,
) -> list[StudentFact]:
    """Return the days of training as opening balances, one for each rank system and stretch between two ranks."""
    days: dict[str, set[date]] = defaultdict(set)
    for visit in visits:
        if not visit["voided"] and visit["counts_toward_promotion"]:
            days[normalise(visit["discipline"])].add(visit["local_date"])
    systems = list(RankSystem.objects.not_archived().select_related("discipline")) if days else []
    balances, counted = [], 0
    for discipline, trained in sorted(days.items()):
        own: Sequence[RankSystem | None] = [
            one for one in systems if one.discipline and normalise(one.discipline.name) == discipline
        ]
        if not discipline:
            own = [None]  # counts in every rank system
        elif not own:
            transfer.leave_out("attendance", gettext(_NO_SYSTEM), f"{discipline}: {len(trained)}")
            continue
        counted += len(trained)
        for system in own:
            ranked = sorted({one.effective_on for one in events if system in {None, one.rank.system}})
            balances += [
                StudentFact(
                    student=transfer.student,
                    kind=StudentFact.Kind.OPENING_ATTENDANCE,
                    rank_system=system,
                    value=number,
                    on=on,
                    note=f"Attendance at {source}"[:500] if source else "",
                    recorded_by=by,
                )
                for on, number in _stretches(trained, ranked)
            ]
    transfer.imported["attendance"] = counted
    return balances


def _stretches(trained: Iterable[date], ranked: Sequence[date]) -> list[tuple[date, int]]:
    """Return for each stretch between two ranks the day of its balance, and the number of days of training.

    The day of a rank belongs to the stretch before it. A balance of that date would count for the new rank, so it gets
    the date before.
    """
    stretches: dict[int, list[date]] = defaultdict(list)
    for day in trained:
        stretches[bisect_left(ranked, day)].append(day)
    ends = {number: max(days) for number, days in stretches.items()}
    return [
        (ends[number] - timedelta(days=1) if ends[number] in ranked else ends[number], len(days))
        for number, days in sorted(stretches.items())
    ]


def _add_notes(transfer: Transfer, rows: Sequence[Mapping[str, Any]]) -> None:
    student = transfer.student
    notes = [StudentNote(student=student, text=row["text"], created_at=row["created_at"]) for row in rows]
    transfer.imported["notes"] = len(StudentNote.objects.bulk_create(notes))


def _add_holds(transfer: Transfer, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the holds that do not overlap, as in the other dojo."""
    holds: list[StudentHold] = []
    for row in sorted(rows, key=lambda row: row["from"]):
        last = holds[-1] if holds else None
        if last is not None and (last.until is None or last.until >= row["from"]):
            transfer.leave_out("holds", gettext("It shares a day with another hold."), str(row["from"]))
            continue
        hold = StudentHold(student=transfer.student, starts_on=row["from"], until=row["until"])
        hold.reason = row["reason"]
        holds.append(hold)
    transfer.imported["holds"] = len(StudentHold.objects.bulk_create(holds))


# --- the document -------------------------------------------------------------------------------------------------


class NamedSerializer(TypedSerializer):
    """A reference to something in the other dojo, of which only the name matters here."""

    name = SingleLineField(max_length=LONGEST_NAME, allow_blank=True)


class TransferredGuardianSerializer(GuardianSerializer):
    """A guardian. The id in the other dojo is ignored."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_without_id(data))


class TransferredStudentSerializer(TypedSerializer):
    """The fields of the student that come with them."""

    guardians = TransferredGuardianSerializer(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    medical_notes = MultiLineField(max_length=MOST_ROWS, required=False, allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        own = StudentSerializer().get_fields()
        return {**super().get_fields(), **{name: own[name] for name in STUDENT_FIELDS}}


class TransferredRowSerializer(TypedSerializer):
    """A row that can be voided."""

    voided = serializers.BooleanField(default=False)
    note = SingleLineField(max_length=500, default="", allow_blank=True)


class TransferredEventSerializer(TransferredRowSerializer):
    """A rank event."""

    rank = NamedSerializer()
    rank_code = SingleLineField(max_length=100, default="", allow_blank=True)
    rank_system = NamedSerializer()
    preset = SingleLineField(max_length=100, default="", allow_blank=True)
    kind = serializers.ChoiceField(choices=RankEvent.Kind.choices)
    effective_on = NearDate()


class TransferredFactSerializer(TransferredRowSerializer):
    """A fact."""

    kind = serializers.ChoiceField(choices=StudentFact.Kind.choices)
    rank_system = NamedSerializer(allow_null=True, default=None)
    preset = SingleLineField(max_length=100, default="", allow_blank=True)
    value = FactValueField()
    on = NearDate()
    expires_on = PlausibleDate(allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            attrs["value"] = value_field(attrs["kind"]).run_validation(attrs["value"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"value": error.detail}) from None
        return attrs


class TransferredHoldSerializer(TypedSerializer):
    """A break from training."""

    until = PlausibleDate(allow_null=True, default=None)
    reason = SingleLineField(max_length=500, default="", allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": PlausibleDate()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["until"] and attrs["until"] < attrs["from"]:
            raise serializers.ValidationError({"until": [gettext("This is before the first day.")]})
        return attrs


class TransferredNoteSerializer(TypedSerializer):
    """A note, with the time when it was written."""

    text = MultiLineField(max_length=5_000)
    created_at = InstantField()


class VisitSerializer(TypedSerializer):
    """An attendance: its local date, and the name of the discipline of the session."""

    local_date = PlausibleDate()
    discipline = SingleLineField(max_length=LONGEST_NAME, default="", allow_blank=True)
    counts_toward_promotion = serializers.BooleanField(default=True)
    voided = serializers.BooleanField(default=False)


class TransferSerializer(TypedSerializer):
    """The export of one person from another dojo. Parts that do not come with a person are ignored; those that no
    export has are refused."""

    dojo = NamedSerializer(required=False)
    student = TransferredStudentSerializer()
    rank_events = TransferredEventSerializer(many=True, default=list, max_length=MOST_ROWS)  # type: ignore[call-arg]
    facts = TransferredFactSerializer(many=True, default=list, max_length=MOST_ROWS)  # type: ignore[call-arg]
    holds = TransferredHoldSerializer(many=True, default=list, max_length=MOST_ROWS)  # type: ignore[call-arg]
    notes = TransferredNoteSerializer(many=True, default=list, max_length=MOST_ROWS)  # type: ignore[call-arg]
    attendance = VisitSerializer(many=True, default=list, max_length=MOST_ROWS)  # type: ignore[call-arg]

    def field_error(self, name: str, value: Any) -> Any:
        if name not in self.fields and name not in part_names() | {"exported_at"}:
            return [gettext(UNKNOWN_FIELD)]
        return super().field_error(name, value)


class LeftOutSerializer(serializers.Serializer[Any]):
    """Something that could not be taken in, and why."""

    what = serializers.CharField()
    reason = serializers.CharField()
    value = serializers.CharField()


class TransferredSerializer(serializers.Serializer[Any]):
    """The student who was taken in, how many rows came with them, and what was left out."""

    student = ReferenceSerializer(allow_null=True)
    dry_run = serializers.BooleanField()
    imported = serializers.DictField(child=serializers.IntegerField())
    left_out = LeftOutSerializer(many=True)


def _without_id(data: Any) -> Any:
    return (
        {name: value for name, value in data.items() if name != "id"} if isinstance(data, Mapping) else data
    )
