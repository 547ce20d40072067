"""Find the guardian that the cells of a line name, among those in the database and in the same file."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from tatami.text import email_key, normalise
from tenant_apps.students.csv.pipeline import insert_rows
from tenant_apps.students.csv.student_lines import StudentLine
from tenant_apps.students.models import Guardian

_BATCH: Final = 5_000
_NEW_GUARDIAN: Final = ("id", "name", "search_name", "email", "phone")
_CHANGED_GUARDIAN: Final = ("name", "search_name", "email", "phone", "updated_at")

Key: TypeAlias = tuple[str, str]
"""The name of a guardian with an email address or a phone number, normalised."""


class GuardianLookup:
    """The guardians with the names in the file. One statement to load them, two to save changes.

    A guardian is the same person if name and email address, or name and phone number, are equal. For the same
    student, the name is enough.
    """

    def __init__(self, lines: Iterable[StudentLine], linked: Mapping[UUID, Mapping[UUID, str]]) -> None:
        names = {normalise(cells["name"]) for line in lines for cells in line.guardians}
        rows = Guardian.objects.filter(search_name__in=names).order_by("pk").select_for_update()
        self._linked = linked
        self._by_id = {guardian.pk: guardian for guardian in rows}
        self._by_contact: dict[Key, Guardian] = {}
        for guardian in self._by_id.values():
            self._add_contacts(guardian)
        self._new: dict[UUID, Guardian] = {}
        self._changed: dict[UUID, Guardian] = {}

    def find(self, line: StudentLine, cells: Mapping[str, Any]) -> Guardian:
        """Return the guardian that the cells name, with the values of the cells; a new one if none matches."""
        known = next((self._by_contact[key] for key in _keys(cells) if key in self._by_contact), None)
        guardian = known or self._of_student(line, normalise(cells["name"])) or self._add()
        given = {name: value for name, value in cells.items() if name != "relation"}
        if any(getattr(guardian, name) != value for name, value in given.items()):
            for name, value in given.items():
                setattr(guardian, name, value)
            guardian.set_search_name()
            if guardian.pk not in self._new:
                self._changed[guardian.pk] = guardian
            self._add_contacts(guardian)
        return guardian

    def save(self) -> None:
        """Insert the new guardians, and update the changed ones."""
        insert_rows(
            Guardian,
            _NEW_GUARDIAN,
            [[getattr(one, name) for name in _NEW_GUARDIAN] for one in self._new.values()],
        )
        if self._changed:
            Guardian.objects.bulk_create(
                self._changed.values(),
                batch_size=_BATCH,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=_CHANGED_GUARDIAN,
            )

    def _add(self) -> Guardian:
        guardian = Guardian()
        self._new[guardian.pk] = guardian
        return guardian

    def _of_student(self, line: StudentLine, name: str) -> Guardian | None:
        assert line.student is not None
        own = (self._by_id.get(key) for key in self._linked.get(line.student.pk, ()))
        return next((guardian for guardian in own if guardian and guardian.search_name == name), None)

    def _add_contacts(self, guardian: Guardian) -> None:
        for key in _keys({"name": guardian.name, "email": guardian.email, "phone": guardian.phone}):
            self._by_contact.setdefault(key, guardian)


def _keys(cells: Mapping[str, Any]) -> list[Key]:
    """Return the keys by which a guardian is found: the name with the address, the name with the number."""
    name = normalise(cells["name"])
    digits = "".join(filter(str.isdigit, cells.get("phone", "")))
    contacts = [email_key(cells["email"])] if cells.get("email") else []
    return [(name, contact) for contact in [*contacts, *([digits] if digits else [])]]
