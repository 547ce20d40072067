"""The pages of students and their parents: their codes, classes, history and progress. Made for a phone first."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from django.urls import reverse

from tatami.errors import NotFound
from tatami.tenancy.scope import current_tenant
from tenant_apps.desk.account.calendar import CalendarCard, has_calendar
from tenant_apps.desk.account.news import NewsCard, own_mail
from tenant_apps.desk.api import Refused, cursor_of
from tenant_apps.desk.belts import belts
from tenant_apps.desk.family import queries
from tenant_apps.desk.family.progress import Progress, progress_of
from tenant_apps.desk.kiosk.view import manifest
from tenant_apps.desk.page import Page

SHOWN_SESSIONS: Final = 6
SHOWN_VISITS: Final = 10
MOST_STUDENTS: Final = 50
"""Students of one user on the family page."""


class FamilyPage(Page):
    """What the pages of families share."""

    section = "family"

    def students(self) -> list[dict[str, Any]]:
        """Return the students who are linked with the user."""
        found: list[dict[str, Any]] = self.ask("students", query={"page_size": MOST_STUDENTS})["results"]
        return found

    def progress(self, students: list[dict[str, Any]]) -> dict[str, list[Progress]]:
        """Return the steps to the next ranks by student."""
        if not students:
            return {}
        body = {"students": [one["id"] for one in students]}
        return progress_of(self.send("POST", "promotion-check", body)["results"])


class Family(FamilyPage):
    """All students of the user: code, rank, progress and next class of each; calendar; how to install the page."""

    template_name = "desk/family/family.html"

    def context(self) -> dict[str, Any]:
        students = self.students()
        steps = self.progress(students)
        coming = queries.coming_sessions([one["id"] for one in students], now=self.now)
        names = {one["id"]: one["preferred_name"] or one["first_name"] for one in students}
        return {
            "children": [
                {
                    "student": one,
                    "steps": steps.get(one["id"], []),
                    "next": next(
                        (
                            each.session
                            for each in coming
                            if one["id"] in each.students and not each.session.is_cancelled
                        ),
                        None,
                    ),
                }
                for one in students
            ],
            "coming": [
                (each.session, sorted(names[one] for one in each.students))
                for each in coming[:SHOWN_SESSIONS]
            ],
            "others": []
            if coming
            else self.ask("class-sessions", query={"page_size": SHOWN_SESSIONS})["results"],
            "belts": belts(),
            "has_calendar": has_calendar(self.user),
            "calendar_action": reverse("desk:family-calendar"),
            "mail": own_mail(self),
            "news_action": reverse("desk:family-news"),
        }


class Calendar(CalendarCard, Family):
    """Create or end the address of the user's calendar. A new address is shown once, on the family page."""

    back = "desk:family"


class News(NewsCard):
    """Turn news by mail on or off."""

    back = "desk:family"


class FamilyStudent(FamilyPage):
    """One student: rank and progress, ranks so far with their certificates, exams, visits, next classes."""

    template_name = "desk/family/student.html"

    def context(self) -> dict[str, Any]:
        key = self.kwargs["id"]
        student = self.ask("student", id=key)
        visits = self.ask(
            "student-attendance",
            student_id=key,
            query={"page_size": SHOWN_VISITS, "cursor": self.query("cursor")},
        )
        events = self.ask("student-rank-events", student_id=key, query={"page_size": 100})["results"]
        coming = queries.coming_sessions([key], now=self.now)
        return {
            "student": student,
            "steps": self.progress([student]).get(student["id"], []),
            "events": [one for one in events if not one["voided"]],
            "certificates": queries.certified_events(key),
            "exams": self.ask("student-exams", student_id=key)["results"],
            "visits": [one for one in visits["results"] if not one["voided"]],
            "earlier": cursor_of(visits["next"]),
            "is_first": not self.query("cursor"),
            "coming": [each.session for each in coming[:SHOWN_SESSIONS]],
            "belts": belts(),
        }


class FamilyCode(FamilyPage):
    """The code of a student, as large as the screen, with ways to the siblings. A script renews it."""

    template_name = "desk/family/code.html"

    def context(self) -> dict[str, Any]:
        students = self.students()
        ids = [one["id"] for one in students]
        student = self.ask("student", id=self.kwargs["id"])
        place = ids.index(student["id"]) if student["id"] in ids else 0
        several = len(students) > 1
        return {
            "student": student,
            "code": rotating_code(self, student["id"]),
            "before": students[place - 1] if several else None,
            "after": students[(place + 1) % len(students)] if several else None,
            "belts": belts(),
        }


class FamilyCodeImage(FamilyPage):
    """The present code of a student, for the script that renews it."""

    template_name = "desk/family/code_image.html"

    def context(self) -> dict[str, Any]:
        return {"code": rotating_code(self, self.kwargs["id"])}


def rotating_code(page: Page, student: UUID | str) -> dict[str, Any]:
    """Return the code of a student as the API gives it, with `seconds`: how long until the next one.

    Raises `NotFound` unless the student is one of the user's.
    """
    try:
        code: dict[str, Any] = page.send("POST", "qr", {"student": str(student)})
    except Refused as refused:
        if "student" in refused.fields:  # in a body, an unknown id is a fault of the field
            raise NotFound from None
        raise
    expires = datetime.fromisoformat(code["expires_at"])
    return {**code, "seconds": max(1, int((expires - page.now).total_seconds()))}


class FamilyCertificate(FamilyPage):
    """The certificate of a rank that was awarded here, as PDF."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.fetch("rank-event-certificate", id=self.kwargs["event"])


class FamilyManifest(Page):
    """What a phone needs to install the family page as an app. No statement."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return manifest(current_tenant().name, current_tenant().name, reverse("desk:family"), "standalone")
