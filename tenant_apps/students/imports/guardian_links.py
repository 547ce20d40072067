"""Guardians of a whole file: siblings share theirs, and a second import finds them again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from tatami.text import email_key, normalise
from tenant_apps.students.guardians import delete_at_once, forget_unlinked
from tenant_apps.students.imports.inserting import insert_rows
from tenant_apps.students.imports.student_lines import StudentLine
from tenant_apps.students.models import Guardian, StudentGuardian

Key: TypeAlias = tuple[str, str]
_BATCH = 5_000
_NEW = ("id", "name", "search_name", "email", "phone")
_CHANGED = ("name", "search_name", "email", "phone", "updated_at")


def write_guardians(lines: Sequence[StudentLine], *, before: Sequence[StudentLine]) -> None:
    """Give the students of `lines` exactly the guardians named there; `before` are those who may have had others.

    A guardian is known again by her name with the same address or number, or, of the same student, by her name alone.
    """
    if not lines:
        return
    linked = _linked([line.student.pk for line in before if line.student])
    book = _Book(lines, linked)
    links, changed = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        named = {book.find(line, said).pk: said.get("relation", "") for said in line.guardians}
        present = linked.get(line.student.pk, {})
        if list(named.items()) != list(present.items()):
            changed.append(line.student.pk)
            links += [(line.student.pk, guardian, relation) for guardian, relation in named.items()]
    book.save()
    if linked and changed:
        delete_at_once(StudentGuardian.objects.filter(student__in=changed))
    insert_rows(StudentGuardian, ("student_id", "guardian_id", "relation"), links)
    left = {guardian for student in changed for guardian in linked.get(student, ())}
    if left:
        forget_unlinked(left - {guardian for _, guardian, _ in links})


def _linked(students: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
    """Return the present guardians of each student, with the relation, in their order."""
    found: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    rows = (
        StudentGuardian.objects.filter(student__in=students) if students else StudentGuardian.objects.none()
    )
    for student, guardian, relation in rows.values_list("student_id", "guardian_id", "relation"):
        found[student][guardian] = relation
    return dict(found)


class _Book:
    """The guardians who are known, by how they are told apart. One statement to fill it, two to save it."""

    def __init__(self, lines: Iterable[StudentLine], linked: Mapping[UUID, Mapping[UUID, str]]) -> None:
        names = {normalise(said["name"]) for line in lines for said in line.guardians}
        rows = Guardian.objects.filter(search_name__in=names).order_by("pk").select_for_update()
        self._linked = linked
        self._by_id = {guardian.pk: guardian for guardian in rows}
        self._by_contact: dict[Key, Guardian] = {}
        for guardian in self._by_id.values():
            self._remember(guardian)
        self._new: dict[UUID, Guardian] = {}
        self._changed: dict[UUID, Guardian] = {}

    def find(self, line: StudentLine, said: Mapping[str, Any]) -> Guardian:
        """Return the guardian that is meant, with what is said about her; a new one if nobody is known so."""
        known = next((self._by_contact[key] for key in _keys(said) if key in self._by_contact), None)
        guardian = known or self._of_student(line, normalise(said["name"])) or self._add()
        given = {name: value for name, value in said.items() if name != "relation"}
        if any(getattr(guardian, name) != value for name, value in given.items()):
            for name, value in given.items():
                setattr(guardian, name, value)
            guardian.set_search_name()
            if guardian.pk not in self._new:
                self._changed[guardian.pk] = guardian
            self._remember(guardian)
        return guardian

    def save(self) -> None:
        """Write those who are new, and those about whom something else is said now."""
        insert_rows(Guardian, _NEW, [[getattr(one, name) for name in _NEW] for one in self._new.values()])
        if self._changed:
            Guardian.objects.bulk_create(
                self._changed.values(),
                batch_size=_BATCH,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=_CHANGED,
            )

    def _add(self) -> Guardian:
        guardian = Guardian()
        self._new[guardian.pk] = guardian
        return guardian

    def _of_student(self, line: StudentLine, name: str) -> Guardian | None:
        assert line.student is not None
        own = (self._by_id.get(key) for key in self._linked.get(line.student.pk, ()))
        return next((guardian for guardian in own if guardian and guardian.search_name == name), None)

    def _remember(self, guardian: Guardian) -> None:
        for key in _keys({"name": guardian.name, "email": guardian.email, "phone": guardian.phone}):
            self._by_contact.setdefault(key, guardian)


def _keys(said: Mapping[str, Any]) -> list[Key]:
    """Return by what a guardian is known again: her name with an address, her name with a number."""
    name = normalise(said["name"])
    digits = "".join(filter(str.isdigit, said.get("phone", "")))
    contacts = [email_key(said["email"])] if said.get("email") else []
    return [(name, contact) for contact in [*contacts, *([digits] if digits else [])]]
