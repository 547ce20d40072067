"""The profile of a student: ranks, progress, attendance, and everything that is recorded about them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase

from tatami.api.permissions import Visibility, rule_of
from tenant_apps.desk.api import cursor_of
from tenant_apps.desk.belts import belts
from tenant_apps.desk.students.profile import queries
from tenant_apps.desk.students.profile.heat_map import first_day, heat_map
from tenant_apps.desk.students.student_page import StudentPage
from tenant_apps.students.views.records import may_change_note

RECENT: Final = 8
"""So many attendances are on the profile; a link leads to the others."""
PAGE_SIZE: Final = 50
MOST_RECORDS: Final = 200
"""The API's largest page: of notes, facts, holds and rank events."""


class Profile(StudentPage):
    """Everything about one student."""

    template_name = "desk/students/profile/profile.html"

    def context(self) -> dict[str, Any]:
        student = self.student
        first = first_day(self.today)
        visits = queries.visits_by_day(self.student_id, first=first, last=self.today)
        events = self.records("student-rank-events")
        checked = (
            {} if student["archived"] else self.send("POST", "promotion-check", {"students": [student["id"]]})
        )
        progress = checked.get("results", [])
        return {
            "student": student,
            "leap_day": self.ask("settings")["leap_day_birthday"],
            "belts": belts(),
            "steps": [one for one in progress if one["type"] == "promote"],
            "other_steps": [one for one in progress if one["type"] != "promote"],
            "heat_map": heat_map(visits, today=self.today),
            "visits_in_year": sum(visits.values()),
            "visits_in_month": sum(n for day, n in visits.items() if day > self.today - timedelta(days=30)),
            "last_visit": max(visits, default=None),
            "attendances": self.attendances(RECENT)["results"],
            "may_void": self.voidable(),
            "events": [one for one in events if not one["voided"]],
            "voided_events": [one for one in events if one["voided"]],
            "enrolments": queries.enrolments(self.student_id),
            "holds": self.records("student-holds"),
            "notes": [(one, self.may_change(one)) for one in self.records("student-notes")],
            "facts": [one for one in self.records("student-facts") if not one["voided"]],
            "linked_users": queries.linked_users(self.student_id) if self.may("users", "POST") else [],
            "namesakes": queries.namesakes(student) if self.may("desk:student-merge") else [],
        }

    def records(self, route: str) -> list[Mapping[str, Any]]:
        """Return the records of a kind, the latest first."""
        found: list[Mapping[str, Any]] = self.ask(
            route, query={"page_size": MOST_RECORDS}, student_id=self.student_id
        )["results"]
        return found

    def attendances(self, size: int) -> Mapping[str, Any]:
        """Return a page of the attendances, the latest first."""
        query = {"page_size": size, "cursor": self.query("cursor")}
        found: Mapping[str, Any] = self.ask("student-attendance", query=query, student_id=self.student_id)
        return found

    def may_change(self, note: Mapping[str, Any]) -> bool:
        """Return whether the user may change a note."""
        author = note["author"]
        return self.may("student-note", "PATCH") and may_change_note(
            UUID(author["id"]) if author else None, self.user
        )

    def voidable(self) -> set[str] | None:
        """Return the ids of the attendances that the user may void; `None` for all."""
        rule = rule_of("attendance-void", "POST")
        if rule is not None and rule.visibility_for(self.user.role) is Visibility.RECORDED:
            return queries.own_records(self.student_id, self.user, self.now)
        return None


class Visits(Profile):
    """All attendances of a student, page by page."""

    template_name = "desk/students/profile/visits.html"

    def context(self) -> dict[str, Any]:
        page = self.attendances(PAGE_SIZE)
        cursor = cursor_of(page["next"])
        return {
            "student": self.student,
            "attendances": page["results"],
            "may_void": self.voidable(),
            "cursor": cursor,
            "is_first": not self.query("cursor"),
        }


class PersonalData(StudentPage):
    """Everything that the dojo holds about the student, as a file."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.fetch("student-export", student_id=self.student_id)
