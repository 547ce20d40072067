"""Who answers for a student: several guardians, each perhaps of several siblings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from tatami.errors import Invalid
from tenant_apps.students.models import Guardian, Student, StudentGuardian

_OWN = ("name", "email", "phone")


@transaction.atomic
def set_guardians(student: Student, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Replace a student's guardians; one who answers for nobody any more is forgotten. Lock the student before.

    Twice changes nothing more. At once: guardians are locked in key order, so one who is linked to a sibling here while
    she is unlinked there either stays, or is unknown by then. Raises `Invalid`.
    """
    known = _locked(student, [entry["id"] for entry in wanted if "id" in entry])
    _refuse_unknown_or_twice(wanted, known)
    before = set(StudentGuardian.objects.filter(student=student).values_list("guardian_id", flat=True))
    delete_at_once(StudentGuardian.objects.filter(student=student))
    links = []
    for entry in wanted:
        guardian = known[entry["id"]] if "id" in entry else Guardian()
        _fill_in(guardian, entry)
        links.append(StudentGuardian(student=student, guardian=guardian, relation=entry.get("relation", "")))
    StudentGuardian.objects.bulk_create(links)
    forget_unlinked(before)


def forget_unlinked(ids: Iterable[UUID]) -> list[UUID]:
    """Delete those of the guardians who answer for nobody, and return who that was. Two statements, and locks.

    Asked after they are locked: the statement after a lock sees what others committed before it.
    """
    locked = Guardian.objects.filter(pk__in=set(ids)).order_by("pk").select_for_update()
    found = list(locked.values_list("pk", flat=True))
    unlinked = Guardian.objects.filter(pk__in=found, student_links__isnull=True)
    gone = list(unlinked.values_list("pk", flat=True)) if found else []
    if gone:
        delete_at_once(Guardian.objects.filter(pk__in=gone))
    return gone


def delete_at_once(rows: QuerySet[Any]) -> None:
    """Delete rows that no other row refers to, in one statement.

    `QuerySet.delete()` fetches them and deletes a hundred at a time while anybody listens to `post_delete`, and
    django-tenants does, for every model.
    """
    rows._raw_delete(rows.db)


def _locked(student: Student, ids: Sequence[UUID]) -> dict[UUID, Guardian]:
    """Return the guardians that are named, holding them and the student's present ones until commit."""
    present = StudentGuardian.objects.filter(student=student).values("guardian")
    rows = Guardian.objects.filter(Q(pk__in=ids) | Q(pk__in=present)).order_by("pk")
    return {guardian.pk: guardian for guardian in rows.select_for_update()}


def _refuse_unknown_or_twice(wanted: Sequence[Mapping[str, Any]], known: Mapping[UUID, Guardian]) -> None:
    faults: dict[str, list[str]] = {}
    seen: set[UUID] = set()
    for place, entry in enumerate(wanted):
        if "id" not in entry:
            continue
        if entry["id"] not in known:
            faults[f"guardians.{place}.id"] = ["There is no such guardian."]
        elif entry["id"] in seen:
            faults[f"guardians.{place}.id"] = ["This guardian is named twice."]
        seen.add(entry["id"])
    if faults:
        raise Invalid(details=faults)


def _fill_in(guardian: Guardian, entry: Mapping[str, Any]) -> None:
    """Write what an entry says; an entry that only names her writes nothing."""
    given = {field: entry[field] for field in _OWN if field in entry}
    if guardian._state.adding or any(getattr(guardian, field) != value for field, value in given.items()):
        for field, value in given.items():
            setattr(guardian, field, value)
        guardian.set_search_name()
        guardian.save()
