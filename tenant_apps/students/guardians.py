"""The guardians of students. A student has several guardians; siblings share theirs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from tatami.errors import Invalid
from tatami.text import normalise
from tenant_apps.students.models import Guardian, Student, StudentGuardian

_FIELDS = ("name", "email", "phone")
_LEAST_DIGITS: Final = 6
_LEAST_DIFFERENT_DIGITS: Final = 3
_RUNS: Final = ("01234567890123456789", "98765432109876543210")


@transaction.atomic
def set_guardians(student: Student, entries: Sequence[Mapping[str, Any]]) -> None:
    """Replace the guardians of a student. Guardians without any student are deleted. Lock the student before.

    Repeating the call changes nothing. Guardians are locked in the order of their keys, so a guardian is never deleted
    while another call links them to a sibling: either the guardian stays, or that call finds no guardian. Raises
    `Invalid` for ids that do not exist or that are given twice.
    """
    known = _locked(student, [entry["id"] for entry in entries if "id" in entry])
    _refuse_unknown_or_repeated(entries, known)
    before = set(StudentGuardian.objects.filter(student=student).values_list("guardian_id", flat=True))
    delete_in_one_statement(StudentGuardian.objects.filter(student=student))
    links = []
    for entry in entries:
        guardian = known[entry["id"]] if "id" in entry else Guardian()
        _save_changes(guardian, entry)
        links.append(StudentGuardian(student=student, guardian=guardian, relation=entry.get("relation", "")))
    StudentGuardian.objects.bulk_create(links)
    delete_unlinked(before)


def phone_key(phone: str) -> str:
    """Return the digits in which two spellings of one phone number are equal."""
    digits = "".join(filter(str.isdigit, normalise(phone)))
    return digits.removeprefix("00") if digits.startswith("00") and len(digits) > _LEAST_DIGITS else digits


def is_phone_of_person(digits: str) -> bool:
    """Return whether digits can be the phone number of a person, unlike 000, 999999 or 1234567.

    Others are no evidence that two guardians are one.
    """
    return (
        len(digits) >= _LEAST_DIGITS
        and len(set(digits)) >= _LEAST_DIFFERENT_DIGITS
        and not any(digits in run for run in _RUNS)
    )


def delete_unlinked(ids: Iterable[UUID]) -> list[UUID]:
    """Delete those of the guardians that have no student, and return their ids. At most three statements, and locks.

    Links are read after the guardians are locked: a statement after the lock sees what others committed before it.
    """
    locked = Guardian.objects.filter(pk__in=set(ids)).order_by("pk").select_for_update()
    found = list(locked.values_list("pk", flat=True))
    unlinked = Guardian.objects.filter(pk__in=found, student_links__isnull=True)
    deleted = list(unlinked.values_list("pk", flat=True)) if found else []
    if deleted:
        delete_in_one_statement(Guardian.objects.filter(pk__in=deleted))
    return deleted


def delete_in_one_statement(rows: QuerySet[Any]) -> None:
    """Delete rows to which no other row refers, in one statement and without signals.

    `QuerySet.delete()` reads the rows and deletes them in batches of a hundred if there is any receiver of
    `post_delete`. django-tenants has one, for every model.
    """
    rows._raw_delete(rows.db)


def _locked(student: Student, ids: Sequence[UUID]) -> dict[UUID, Guardian]:
    """Return the guardians with these ids and those of the student, locked until commit."""
    present = StudentGuardian.objects.filter(student=student).values("guardian")
    rows = Guardian.objects.filter(Q(pk__in=ids) | Q(pk__in=present)).order_by("pk")
    return {guardian.pk: guardian for guardian in rows.select_for_update()}


def _refuse_unknown_or_repeated(entries: Sequence[Mapping[str, Any]], known: Mapping[UUID, Guardian]) -> None:
    errors: dict[str, list[str]] = {}
    seen: set[UUID] = set()
    for place, entry in enumerate(entries):
        if "id" not in entry:
            continue
        if entry["id"] not in known:
            errors[f"guardians.{place}.id"] = [gettext("There is no such guardian.")]
        elif entry["id"] in seen:
            errors[f"guardians.{place}.id"] = [gettext("This guardian is named twice.")]
        seen.add(entry["id"])
    if errors:
        raise Invalid(details=errors)


def _save_changes(guardian: Guardian, entry: Mapping[str, Any]) -> None:
    """Save the fields of an entry; an entry with an id and nothing new is not saved."""
    given = {field: entry[field] for field in _FIELDS if field in entry}
    if guardian._state.adding or any(getattr(guardian, field) != value for field, value in given.items()):
        for field, value in given.items():
            setattr(guardian, field, value)
        guardian.set_search_name()
        guardian.save()
