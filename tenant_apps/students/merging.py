"""Merge two records of one person: everything that refers to the duplicate then refers to the record that is kept.

Imports between apps run one way, so each app registers a rule for its tables in `AppConfig.ready()`:

    from tenant_apps.students import merging
    merging.register(Attendance, rule=merge_attendance)

The tables are derived from the models: a test fails if a model refers to a student and has no rule. `move` suits a
table without a unique constraint on the student; `drop_clashing` gives way to what the kept record has already. Where
both records say something different, the rule decides, and reports a `Conflict` under its name.

A merge is one transaction. It locks both students exclusively and in the order of their keys, so scans and other
writers wait for it; afterwards they find that the duplicate is gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, ForeignKey, Model, OuterRef, Q, QuerySet, UniqueConstraint
from django.utils.translation import gettext, gettext_noop

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.api.fields import UNKNOWN
from tatami.errors import Invalid
from tenant_apps.students.errors import AlreadyMerged
from tenant_apps.students.models import Student
from tenant_apps.students.privacy import blank_student
from tenant_apps.students.queries import student_not_found

VOID_REASON: Final = gettext_noop("Two records of this student were merged, and both had this.")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that both records have, and what becomes of it."""

    what: str
    """A name of what moves (`attendance`), or the name of a field of the student."""
    rule: str
    """The name of the rule that decided; docs/api.md lists them."""
    kept: Any
    dropped: Any


@dataclass(slots=True)
class Merge:
    """A merge in progress: both students, locked, and what the rules report."""

    kept: Student
    duplicate: Student
    duplicate_name: str
    """The name of the duplicate, which is blank after the merge."""
    by: User
    now: datetime
    moved: Counter[str] = field(default_factory=Counter)
    conflicts: list[Conflict] = field(default_factory=list)

    def report(self, what: str, rule: str, *, kept: Any, dropped: Any) -> None:
        """Add a conflict."""
        self.conflicts.append(Conflict(what, rule, kept, dropped))


Rule: TypeAlias = Callable[[Merge], None]
Reference: TypeAlias = tuple[type[Model], str]
"""A model and the name of its field that refers to a student."""

_rules: dict[Reference, Rule] = {}
_other_rules: dict[str, Rule] = {}


def register(model: type[Model], *, rule: Rule, field: str = "student") -> None:
    """Register how the rows of a model are merged. Registering it again replaces the rule."""
    _rules[model, field] = rule


def register_other(name: str, rule: Rule) -> None:
    """Register a rule for ids of students that are stored without a foreign key."""
    _other_rules[name] = rule


def references() -> Iterator[Reference]:
    """Yield every model of a dojo that refers to a student, with the field."""
    for relation in Student._meta.get_fields(include_hidden=True):
        foreign_key = getattr(relation, "field", None)
        if relation.auto_created and not relation.concrete and isinstance(foreign_key, ForeignKey):
            yield foreign_key.model, foreign_key.name


def references_without_rule() -> list[Reference]:
    """Return the references that no app has registered. A test expects none."""
    return [reference for reference in references() if reference not in _rules]


# --- rules that suit several tables -------------------------------------------------------------------------------


def move(model: type[Model], name: str, *, field: str = "student") -> Rule:
    """Return the rule for rows that a student can have any number of: all of them move. One statement."""

    def rule(merge: Merge) -> None:
        move_rows(merge, model._base_manager.filter(**{field: merge.duplicate}), name, field=field)

    return rule


def move_rows(merge: Merge, rows: QuerySet[Any], name: str, *, field: str = "student") -> None:
    """Let rows refer to the kept student, and count them under a name. One statement."""
    changes: dict[str, Any] = {field: merge.kept}
    if any(one.name == "updated_at" for one in rows.model._meta.concrete_fields):
        changes["updated_at"] = merge.now
    merge.moved[name] += rows.update(**changes)


def drop_clashing(model: type[Model], name: str, *, show: str, rule: str = "kept_record_wins") -> Rule:
    """Return the rule for links: those that the kept student has already are deleted, the others move.

    What clashes follows from the unique constraints of the model. `show` is the lookup of what a conflict names.
    """

    def merge_rows(merge: Merge) -> None:
        rows = model._base_manager.filter(student=merge.duplicate)
        clashing = list(rows.filter(_clashes(model, merge.kept)).values_list("pk", show))
        for _, shown in clashing:
            merge.report(name, rule, kept=shown, dropped=shown)
        if clashing:
            model._base_manager.filter(pk__in=[key for key, _ in clashing]).delete()
        move_rows(merge, rows, name)

    return merge_rows


def delete(model: type[Model]) -> Rule:
    """Return the rule for results that are computed again: those of both students are deleted. One statement."""

    def rule(merge: Merge) -> None:
        model._base_manager.filter(student__in=[merge.kept, merge.duplicate]).delete()

    return rule


def _clashes(model: type[Model], kept: Student) -> Q:
    """Return the condition on a row of the duplicate that it would violate a unique constraint at the kept student."""
    found = Q(pk__in=[])
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and "student" in constraint.fields:
            same: dict[str, Any] = {name: OuterRef(name) for name in constraint.fields if name != "student"}
            condition = constraint.condition or Q()
            there = model._base_manager.filter(condition, student=kept, **same)
            found |= condition & Q(Exists(there))
    return found


# --- the operation ------------------------------------------------------------------------------------------------

CONTACTS: Final = (
    "preferred_name",
    "email",
    "phone",
    "birth_date",
    "gender",
    "external_id",
    "licence_number",
)
"""The fields that the kept record takes from the duplicate if it has none itself."""


def merge_students(*, kept: UUID, duplicate: UUID, by: User, now: datetime, dry_run: bool) -> Merge:
    """Merge the duplicate into the kept record, and return what moved and what was decided.

    The number of statements does not depend on the number of rows, but on that of conflicts. With `dry_run` nothing is
    written. A second call raises `AlreadyMerged`. Raises `Invalid` for an unknown duplicate, or for two equal ids;
    `NotFound` for an unknown student; `OwnRankChange` if the rank history of the caller would change.
    """
    if kept == duplicate:
        raise Invalid.field("duplicate", gettext("This is the student itself."))
    with transaction.atomic():
        merge = _merge(kept, duplicate, by=by, now=now)
        publish("student.merged", [{"id": duplicate, "into": kept}], now=now)
        transaction.set_rollback(dry_run)
    return merge


def _merge(kept: UUID, duplicate: UUID, *, by: User, now: datetime) -> Merge:
    rows = Student.objects.filter(pk__in=[kept, duplicate]).order_by("pk").select_for_update()
    students = {student.pk: student for student in rows}
    if kept not in students:
        raise student_not_found(kept)
    if duplicate not in students:
        merged_into = student_not_found(duplicate).details
        raise (
            AlreadyMerged(details=merged_into)
            if merged_into
            else Invalid.field("duplicate", gettext(UNKNOWN))
        )
    merge = Merge(students[kept], students[duplicate], students[duplicate].name, by, now)
    for rule in (*_rules.values(), *_other_rules.values()):
        rule(merge)
    _merge_records(merge)
    return merge


def _merge_records(merge: Merge) -> None:
    """Fill the kept record from the duplicate, and blank the duplicate."""
    kept, duplicate = merge.kept, merge.duplicate
    changes: dict[str, Any] = {}
    for name in CONTACTS:
        value, other = getattr(kept, name), getattr(duplicate, name)
        if other and not value:
            changes[name] = other
        elif other and other != value:
            merge.report(name, "kept_record_wins", kept=value, dropped=other)
    changes |= _joined_on(merge, kept.joined_on, duplicate.joined_on)
    changes |= _medical_notes(kept.medical_notes, duplicate.medical_notes)
    for name in ("name", "status", "archived"):
        value, other = (_shown(student, name) for student in (kept, duplicate))
        if value != other:
            merge.report(name, "kept_record_wins", kept=value, dropped=other)
    duplicate.merged_into = kept
    blank_student(duplicate, merge.now)  # first, because it gives its external id away
    if changes:
        for name, value in changes.items():
            setattr(kept, name, value)
        kept.save()


def _shown(student: Student, name: str) -> Any:
    return student.archived_at is not None if name == "archived" else getattr(student, name)


def _joined_on(merge: Merge, kept: date | None, other: date | None) -> Mapping[str, Any]:
    if kept and other and kept != other:
        merge.report("joined_on", "earlier_date", kept=min(kept, other), dropped=max(kept, other))
    earliest = min((day for day in (kept, other) if day), default=None)
    return {"joined_on": earliest} if earliest != kept else {}


def _medical_notes(kept: str, other: str) -> Mapping[str, Any]:
    """Keep both texts: nothing that may matter in an emergency is dropped. They may exceed the limit for requests."""
    if not other or other in kept:
        return {}
    return {"medical_notes": f"{kept}\n\n{other}" if kept else other}
