"""Who holds what about a student: each app says so, because imports run one way and we may not ask its tables.

In its AppConfig.ready() an app registers a holder:

    from tenant_apps.students import personal_data
    personal_data.register("attendance", collect=collect, erase=erase, models=(Attendance, Refusal, Card))

`collect(student)` returns what JSON can hold; `erase(student, now)` makes the rows anonymous or deletes them, in the
caller's transaction. Both are called inside the dojo's scope. Erasing twice changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from django.db.models import BinaryField, Model, QuerySet

from tenant_apps.students.models import Student

Collect: TypeAlias = Callable[[Student], Any]
Erase: TypeAlias = Callable[[Student, datetime], None]


@dataclass(frozen=True, slots=True)
class Holder:
    """A part of what is held about a person; `name` is its key in the export."""

    name: str
    collect: Collect
    erase: Erase | None
    models: tuple[type[Model], ...]
    """The models with a foreign key to the student that this holder answers for."""


_holders: dict[str, Holder] = {}


def register(
    name: str, *, collect: Collect, erase: Erase | None = None, models: Sequence[type[Model]] = ()
) -> None:
    """Say that an app holds something about students. Registering a name again replaces it."""
    _holders[name] = Holder(name, collect, erase, tuple(models))


def collect(student: Student) -> dict[str, Any]:
    """Return all that is held about a student, part by part. What no app answers for is there as plain rows."""
    found = {holder.name: holder.collect(student) for holder in _holders.values()}
    for model in unclaimed():
        found[model._meta.label_lower] = rows_of(model._default_manager.filter(student=student))
    return found


def erase(student: Student, now: datetime) -> None:
    """Have every app forget the person; those that build on others go first."""
    for holder in reversed(_holders.values()):
        if holder.erase is not None:
            holder.erase(student, now)


def unclaimed() -> list[type[Model]]:
    """Return the models that refer to a student and for which nobody answers yet. A test expects none."""
    answered = {model for holder in _holders.values() for model in holder.models}
    referring = {relation.related_model for relation in Student._meta.related_objects}
    found = {model for model in referring if isinstance(model, type) and model not in answered}
    return sorted(found, key=lambda model: model._meta.label_lower)


def rows_of(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    """Return rows as JSON can hold them, without keys to other rows' secrets (binary columns) and `tenant_id`."""
    fields = rows.model._meta.concrete_fields
    names = [f.attname for f in fields if not isinstance(f, BinaryField) and f.attname != "tenant_id"]
    return list(rows.values(*names))
