"""Personal data: the registry of what each app holds about a student, and the part that this app holds.

Imports between apps run one way, so this app cannot read the tables of others. Instead, an app registers its data in
`AppConfig.ready()`:

    from tenant_apps.students import privacy
    privacy.register("attendance", collect=collect, erase=erase, models=(Attendance, Refusal, Card))

`collect(student)` returns data that JSON can represent. `erase(student, now)` anonymises or deletes the rows in the
transaction of the caller; erasing twice changes nothing. Both are called in the scope of the dojo.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.db.models import BinaryField, F, Func, IntegerField, Model, Q, QuerySet, TextField, Value

from shared_apps.accounts.models import User
from shared_apps.accounts.users import erase_users
from shared_apps.webhooks.events import publish
from tatami.api.idempotency import stored_responses
from tatami.clock import tenant_date
from tenant_apps.students.guardians import delete_unlinked
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentFact,
    StudentGuardian,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.serializers import (
    FactSerializer,
    HoldSerializer,
    NoteSerializer,
    RankEventSerializer,
    StudentSerializer,
)
from tenant_apps.students.services import attach_current_ranks, new_check_in_id, with_details

Collect: TypeAlias = Callable[[Student], Any]
Erase: TypeAlias = Callable[[Student, datetime], None]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One part of the data about a person; `name` is its key in the export."""

    name: str
    collect: Collect
    erase: Erase | None
    models: tuple[type[Model], ...]
    """The models with a foreign key to the student that this part covers."""


_parts: dict[str, PersonalData] = {}


def register(
    name: str, *, collect: Collect, erase: Erase | None = None, models: Sequence[type[Model]] = ()
) -> None:
    """Register a part of the data about students. Registering a name again replaces it."""
    _parts[name] = PersonalData(name, collect, erase, tuple(models))


def part_names() -> set[str]:
    """Return the names of the parts of what is held about a student."""
    return set(_parts)


def collect(student: Student) -> dict[str, Any]:
    """Return everything held about a student, part by part. Tables that no app has registered appear as plain rows."""
    found = {part.name: part.collect(student) for part in _parts.values()}
    for model in unregistered_models():
        found[model._meta.label_lower] = rows_of(model._default_manager.filter(student=student))
    return found


def erase(student: Student, now: datetime) -> None:
    """Erase the data about a student in every app. Apps that were registered later are called first."""
    for part in reversed(_parts.values()):
        if part.erase is not None:
            part.erase(student, now)
    publish("student.erased", [{"id": student.pk}], now=now)


def unregistered_models() -> list[type[Model]]:
    """Return the models that refer to a student and that no app has registered. A test expects none."""
    registered = {model for part in _parts.values() for model in part.models}
    referring = {relation.related_model for relation in Student._meta.related_objects}
    found = {model for model in referring if isinstance(model, type) and model not in registered}
    return sorted(found, key=lambda model: model._meta.label_lower)


def record_ids(student: Student) -> list[UUID]:
    """Return the ids under which stored responses may name the student: theirs, and those of merged records."""
    merged = Student._base_manager.filter(merged_into=student)
    return [student.pk, *merged.values_list("pk", flat=True)]


def rows_of(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    """Return rows as JSON can represent them, without binary columns (they hold secrets) and `tenant_id`."""
    fields = rows.model._meta.concrete_fields
    names = [f.attname for f in fields if not isinstance(f, BinaryField) and f.attname != "tenant_id"]
    return list(rows.values(*names))


# --- what this app holds ------------------------------------------------------------------------------------------


def register_students() -> None:
    """Register the data of this app. The student comes first, so it is erased last, with all its parts."""
    models = (Student, StudentGuardian, StudentUser, StudentNote, StudentFact, StudentHold, RankEvent)
    register("student", collect=collect_student, erase=erase_student, models=models)
    register("users", collect=collect_users)
    register("notes", collect=collect_notes)
    register("facts", collect=collect_facts)
    register("holds", collect=collect_holds)
    register("rank_events", collect=collect_rank_events)


def collect_student(student: Student) -> Any:
    """Return the student as the API shows them, with guardians and ranks."""
    today = tenant_date()
    row = with_details(Student.objects.filter(pk=student.pk), as_of=today).get()
    attach_current_ranks([row], as_of=today)
    return StudentSerializer(row).data


def collect_users(student: Student) -> Any:
    """Return the users linked with the student."""
    return list(User.objects.filter(student_links__student=student).values("id", "name", "email", "role"))


def collect_notes(student: Student) -> Any:
    """Return the notes by staff."""
    return NoteSerializer(student.notes.select_related("author"), many=True).data


def collect_facts(student: Student) -> Any:
    """Return the facts, with voided ones."""
    return [
        {**FactSerializer(fact).data, "preset": fact.rank_system.preset if fact.rank_system else ""}
        for fact in student.facts.select_related("rank_system", "recorded_by")
    ]


def collect_holds(student: Student) -> Any:
    """Return the breaks from training."""
    return HoldSerializer(student.holds.all(), many=True).data


def collect_rank_events(student: Student) -> Any:
    """Return the rank history, with voided events."""
    events = RankEvent.objects.filter(student=student)
    return [
        {**RankEventSerializer(event).data, "rank_code": event.rank.code, "preset": event.system.preset}
        for event in events.select_related("student", "system", "rank", "recorded_by")
    ]


def erase_student(student: Student, now: datetime) -> None:
    """Blank the row of the student, and delete what belongs only to this person: records, guardians and logins.

    Rank events stay, so that counts stay correct, but their texts are deleted. Facts are deleted like notes: their
    values name documents and people, and they are not counted.
    """
    facts = list(student.facts.values_list("pk", flat=True))
    for rows in (student.notes, student.facts, student.holds):
        rows.all().delete()
    student.rank_events.update(note="", void_reason="", updated_at=now)
    erased = [*record_ids(student), *_erase_guardians(student), *_erase_users(student, now)]
    blank_student(student, now)
    _delete_stored_responses(erased, records=facts)


def blank_student(student: Student, now: datetime) -> None:
    """Delete what the row of the student says about the person, and keep the row. One statement."""
    for field in (
        "first_name", "last_name", "preferred_name", "email", "phone", "gender", "licence_number", "medical_notes",
    ):  # fmt: skip
        setattr(student, field, "")
    student.birth_date = student.joined_on = student.external_id = None
    student.check_in_id = new_check_in_id()  # invalidates all codes that were issued
    student.status = Student.Status.INACTIVE
    student.archived_at = student.archived_at or now
    student.erased_at = now
    student.set_search_name()
    student.save()


def _erase_guardians(student: Student) -> list[UUID]:
    links = StudentGuardian.objects.filter(student=student)
    ids = list(links.values_list("guardian_id", flat=True))
    links.delete()
    return delete_unlinked(ids)


def _erase_users(student: Student, now: datetime) -> list[UUID]:
    """Erase the users with role student that were linked with this student only: their own, or that of a parent."""
    links = StudentUser.objects.filter(student=student)
    ids = list(links.values_list("user_id", flat=True))
    links.delete()
    return erase_users(User.objects.filter(pk__in=ids, role="student", student_links__isnull=True), now=now)


def _delete_stored_responses(ids: Sequence[UUID], *, records: Sequence[UUID]) -> None:
    """Delete the stored responses (`Idempotency-Key`) whose path, caller or text contains an erased id. One statement.

    Every response with data about a person refers to them by `{id, name}`, except those about a fact: `records` are the
    facts, which are found by the id in their path. All others can still be replayed. Responses are stored for at most
    24 hours, which bounds the scan.
    """
    id_in_path = Func(F("path"), Value("/"), Value(3), function="split_part", output_field=TextField())
    matching = Q(caller__in=ids) | Q(id_in_path__in=[str(id_) for id_ in records])
    places: dict[str, Func[Any]] = {"id_in_path": id_in_path}
    for number, id_ in enumerate(ids):
        text = Value(str(id_).encode(), output_field=BinaryField())
        places[f"at_{number}"] = Func(
            text,
            F("answer"),
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=IntegerField(),
        )
        matching |= Q(path__contains=str(id_)) | Q(**{f"at_{number}__gt": 0})
    stored_responses().alias(**places).filter(matching).delete()
