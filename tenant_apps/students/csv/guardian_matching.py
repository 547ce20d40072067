"""Find the guardian that the cells of a line name, among those in the database and in the same file."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from tatami.text import email_key, normalise
from tenant_apps.students.csv.pipeline import insert_rows
from tenant_apps.students.csv.student_lines import StudentLine
from tenant_apps.students.guardians import is_phone_of_person, phone_key
from tenant_apps.students.models import Guardian, StudentGuardian

_BATCH: Final = 5_000
_NEW_GUARDIAN: Final = ("id", "name", "search_name", "email", "phone")
_CHANGED_GUARDIAN: Final = ("name", "search_name", "email", "phone", "updated_at")
_MOST_CANDIDATES: Final = 50
"""Of one name and contact; limits the work for a file that repeats them thousands of times."""


class GuardianLookup:
    """The guardians with the names in the file. Two statements to load them, two to save changes.

    A guardian is the same person if the name and the e-mail address are equal; or if the name and a plausible phone
    number are equal, no two addresses differ, and no two relations differ (a father and a grandfather may share name
    and landline). A guardian of the same student is the same person if the name is equal and no two relations differ.
    Two guardians of one line are never the same person.
    """

    def __init__(self, lines: Iterable[StudentLine], *, locked: bool) -> None:
        names = {normalise(cells.get("name", "")) for line in lines for cells in line.guardians.values()}
        students = {line.student.pk for line in lines if line.student and line.guardians}
        self._by_id: dict[UUID, Guardian] = {}
        self._by_contact: dict[tuple[str, str], dict[UUID, Guardian]] = defaultdict(dict)
        self._relations: dict[UUID, set[str]] = defaultdict(set)
        self.linked: dict[UUID, dict[UUID, str]] = defaultdict(dict)
        """For each student of the file, the present guardians with their relation, in order."""
        self._names: dict[UUID, str] = {}
        self._new: dict[UUID, Guardian] = {}
        self._changed: dict[UUID, Guardian] = {}
        self._line_of: dict[UUID, int] = {}
        if not names:
            return
        rows = Guardian.objects.filter(search_name__in=names).order_by("pk")
        for guardian in rows.select_for_update() if locked else rows:
            self._by_id[guardian.pk] = guardian
            self._add_contacts(guardian)
        links = StudentGuardian.objects.filter(Q(student__in=students) | Q(guardian__search_name__in=names))
        for student, guardian_id, name, relation in links.values_list(
            "student_id", "guardian_id", "guardian__name", "relation"
        ):
            self._relations[guardian_id].add(normalise(relation))
            self._names[guardian_id] = name
            if student in students:
                self.linked[student][guardian_id] = relation

    def match(self, line: StudentLine) -> None:
        """Set the guardians of a line: existing ones with the values of the cells, or new ones.

        Adds to the line what it overwrites, and who is linked.
        """
        taken: set[UUID] = set()
        own = self.linked.get(line.student.pk, {}) if line.student else {}
        for prefix, cells in line.guardians.items():
            guardian = self._find(line, prefix, cells, own, taken)
            taken.add(guardian.pk)
            relation = cells.get("relation", own.get(guardian.pk, ""))
            self._relations[guardian.pk].add(normalise(relation))
            line.found_guardians.append((guardian, relation))
            if own.get(guardian.pk) and own[guardian.pk] != relation:
                line.add_change(f"{prefix}relation", own[guardian.pk], relation)
        if line.guardians:
            for removed in own.keys() - taken:
                line.add_change("guardians", self._names[removed], "")

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

    def _find(
        self,
        line: StudentLine,
        prefix: str,
        cells: Mapping[str, str],
        own: Collection[UUID],
        taken: Collection[UUID],
    ) -> Guardian:
        named = self._candidates(cells, own, taken)
        found = self._of_evidence(cells, named, own)
        if found is None:
            if any(_is_near(cells, one) for one in named):
                line.warn(
                    f"{prefix}name",
                    gettext(
                        "Another guardian is also named {name}, but no address or phone number shows that they "
                        "are the same person: they are kept apart."
                    ).format(name=cells["name"]),
                )
            return self._add(line, cells)
        if found.pk not in own:
            line.links.append(self._link(f"{prefix}name", found))
        self._change(line, prefix, found, cells, is_own=found.pk in own)
        return found

    def _link(self, column: str, guardian: Guardian) -> dict[str, Any]:
        """Return a link as the report shows it; guardians of the same file have no id yet."""
        if guardian.pk in self._new:
            return {"column": column, "guardian": {"name": guardian.name}, "line": self._line_of[guardian.pk]}
        return {"column": column, "guardian": {"id": guardian.pk, "name": guardian.name}}

    def _candidates(
        self, cells: Mapping[str, str], own: Collection[UUID], taken: Collection[UUID]
    ) -> list[Guardian]:
        """Return guardians of this name who share a contact, or who are linked with the student already."""
        name = normalise(cells["name"])
        mine = (self._by_id.get(key) for key in own)
        found = {one.pk: one for one in mine if one is not None and one.search_name == name}
        for contact in _contacts(cells):
            found |= islice(self._by_contact.get((name, contact), {}).items(), _MOST_CANDIDATES)
        return [one for one in found.values() if one.pk not in taken and one.search_name == name]

    def _add_contacts(self, guardian: Guardian) -> None:
        for contact in _contacts({"email": guardian.email, "phone": guardian.phone}):
            self._by_contact[guardian.search_name, contact][guardian.pk] = guardian

    def _of_evidence(
        self, cells: Mapping[str, str], named: list[Guardian], own: Collection[UUID]
    ) -> Guardian | None:
        """Return the guardian with the best evidence, of two equal ones that of this student or with this relation."""
        relation = normalise(cells.get("relation", ""))

        def is_same_relation(one: Guardian) -> bool:
            return not relation or not self._relations[one.pk] - {""} or relation in self._relations[one.pk]

        tests: tuple[Callable[[Guardian], bool], ...] = (
            lambda one: _same_address(cells, one),
            lambda one: _same_phone(cells, one) and is_same_relation(one),
            lambda one: one.pk in own and is_same_relation(one),
        )
        for test in tests:
            found = [one for one in named if test(one)]
            if found:
                return max(found, key=lambda one: (one.pk in own, relation in self._relations[one.pk]))
        return None

    def _change(
        self, line: StudentLine, prefix: str, guardian: Guardian, cells: Mapping[str, str], *, is_own: bool
    ) -> None:
        is_changed = False
        for name in ("name", "email", "phone"):
            before, after = getattr(guardian, name), cells.get(name, "")
            # Another spelling in the line of a sibling is no correction.
            if (
                not after
                or before == after
                or (not is_own and before and _key(name, before) == _key(name, after))
            ):
                continue
            if before:
                line.add_change(prefix + name, before, after)
            setattr(guardian, name, after)
            is_changed = True
        if is_changed:
            guardian.set_search_name()
            self._add_contacts(guardian)
            if guardian.pk not in self._new:
                self._changed[guardian.pk] = guardian

    def _add(self, line: StudentLine, cells: Mapping[str, str]) -> Guardian:
        guardian = Guardian(**{name: cells.get(name, "") for name in ("name", "email", "phone")})
        guardian.set_search_name()
        self._new[guardian.pk] = guardian
        self._line_of[guardian.pk] = line.number
        self._add_contacts(guardian)
        return guardian


def _contacts(cells: Mapping[str, str]) -> list[str]:
    """Return the address and the digits of the phone number, for comparison."""
    return [*filter(None, (email_key(cells.get("email", "")), phone_key(cells.get("phone", ""))))]


def _same_address(cells: Mapping[str, str], guardian: Guardian) -> bool:
    given = cells.get("email", "")
    return bool(given and guardian.email) and email_key(given) == email_key(guardian.email)


def _same_phone(cells: Mapping[str, str], guardian: Guardian) -> bool:
    given = phone_key(cells.get("phone", ""))
    if given != phone_key(guardian.phone) or not is_phone_of_person(given):
        return False
    return not (cells.get("email") and guardian.email) or _same_address(cells, guardian)


def _is_near(cells: Mapping[str, str], guardian: Guardian) -> bool:
    """Return whether a person may wonder if two guardians of one name are the same: they share a number."""
    given = phone_key(cells.get("phone", ""))
    return bool(given) and given == phone_key(guardian.phone)


def _key(name: str, value: Any) -> str:
    match name:
        case "email":
            return email_key(value)
        case "phone":
            return phone_key(value)
    return normalise(value)
