"""The base of the pages about one student."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.http import HttpResponse

from tatami.errors import DomainError
from tenant_apps.desk.page import Page


class StudentPage(Page):
    """A page about the student in the path. The old address of a merged record leads to the record that was kept."""

    section = "students"

    @property
    def student_id(self) -> UUID:
        """The id in the path."""
        found: UUID = self.kwargs["id"]
        return found

    @cached_property
    def student(self) -> Any:
        """The student as the API shows them. Raises `Refused` if there is none."""
        return self.ask("student", id=self.student_id)

    def error_response(self, error: DomainError) -> HttpResponse:
        """Return the page of an error, or a redirect to the record into which this one was merged."""
        kept = (error.details or {}).get("merged_into")
        if kept and self.request.method == "GET":
            return self.redirect("desk:student", error.message, id=kept["id"])
        return super().error_response(error)
