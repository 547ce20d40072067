"""Entering a new student, and changing one. Guardians are repeated rows; buttons add, link and remove them."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page
from tenant_apps.desk.students.form.forms import Guardians, StudentForm
from tenant_apps.desk.students.student_page import StudentPage
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import MEDICAL_NOTES_ROLES

BUTTONS: Final = ("add_guardian", "remove_guardian", "link_guardian")
"""Buttons that only change the rows of guardians: nothing is saved."""


class StudentFormPage(Page):
    """What entering and changing a student share."""

    template_name = "desk/students/form/form.html"
    section = "students"

    def student_form(self, entered: Any = None, student: Mapping[str, Any] | None = None) -> StudentForm:
        """Return the form, with what was entered, or with the values of a student."""
        return StudentForm(
            entered,
            initial=student or {"joined_on": self.today, "status": "active"},
            may_write_medical_notes=self.user.role in MEDICAL_NOTES_ROLES,
            is_on_hold=student is not None and student["status"] == "on_hold",
        )

    def press(self, guardians: Guardians) -> Guardians | None:
        """Change the rows as a button says; return `None` if none of the buttons was pressed."""
        pressed = {name: self.request.POST[name] for name in BUTTONS if name in self.request.POST}
        if not pressed:
            return None
        if "link_guardian" in pressed:
            listed = {row["id"] for row in guardians.rows}
            found = self.guardians(self.request.POST.get("guardian_search", ""))
            guardians.rows += [
                one for one in found if one["id"] == pressed["link_guardian"] and one["id"] not in listed
            ]
        return guardians.bind(spare=1 if "add_guardian" in pressed else 0)

    def guardians(self, search: str) -> list[dict[str, Any]]:
        """Return the guardians of the dojo whose name contains all words."""
        found: list[dict[str, Any]] = self.ask("guardians", query={"search": search, "page_size": 5})[
            "results"
        ]
        return found

    def refuse(self, form: StudentForm, guardians: Guardians, refused: Refused, **more: Any) -> HttpResponse:
        """Show the form again with the messages of the API at their fields."""
        guardians.bind()
        others = guardians.add_refusal(refused)
        about_student = {
            path: found for path, found in refused.fields.items() if not path.startswith("guardians")
        }
        for path, messages in about_student.items():
            for message in messages:
                form.add_error(path if path in form.fields else None, message)
        if not refused.fields:
            others.append(refused.message)
        for message in others:
            form.add_error(None, message)
        return self.render({"form": form, "guardians": guardians, **more}, status=refused.status)


class NewStudent(StudentFormPage):
    """A new student. Records that may be the same person are shown before anything is saved."""

    def context(self) -> dict[str, Any]:
        return {"form": self.student_form(), "guardians": Guardians([]).bind()}

    def submit(self) -> HttpResponseBase:
        form, guardians = self.student_form(self.request.POST), Guardians.entered(self.request.POST)
        if pressed := self.press(guardians):
            return self.render({"form": form, "guardians": pressed})
        if not form.is_valid():
            return self.render({"form": form, "guardians": guardians.bind()}, status=400)
        if "anyway" not in self.request.POST and (found := self.namesakes(form)):
            return self.render({"form": form, "guardians": guardians.bind(), "namesakes": found})
        values = {name: value for name, value in form.body().items() if value not in (None, "")}
        try:
            created = self.send("POST", "students", {**values, "guardians": guardians.body()})
        except Refused as refused:
            return self.refuse(form, guardians, refused)
        name = created["name"]
        if "another" in self.request.POST:
            return self.redirect("desk:student-new", gettext("%(name)s is entered.") % {"name": name})
        said = gettext("%(name)s is entered. Next: record the rank, enrol in a class, print the card.")
        return self.redirect("desk:student", said % {"name": name}, id=created["id"])

    def namesakes(self, form: StudentForm) -> list[Student]:
        """Return the students who may be the person that was entered. One statement."""
        entered = form.cleaned_data
        found: list[Student] = Student.objects.namesakes(
            entered["first_name"], entered["last_name"], born_on=entered["birth_date"]
        )
        return found


class EditStudent(StudentFormPage, StudentPage):
    """Change a student. Only what was changed is sent."""

    def context(self) -> dict[str, Any]:
        student = self.student
        return {
            "form": self.student_form(student=student),
            "guardians": Guardians(student["guardians"]).bind(),
            "student": student,
            "guardians_before": orjson.dumps(Guardians(student["guardians"]).body()).decode(),
        }

    def guardians_before(self, student: Mapping[str, Any]) -> Any:
        """Return the guardians as they were when the form was shown."""
        try:
            return orjson.loads(self.request.POST.get("guardians_before", ""))
        except orjson.JSONDecodeError:
            return Guardians(student["guardians"]).body()

    def submit(self) -> HttpResponseBase:
        student = self.student
        again = {"student": student, "guardians_before": self.request.POST.get("guardians_before", "")}
        form, guardians = self.student_form(self.request.POST, student), Guardians.entered(self.request.POST)
        if pressed := self.press(guardians):
            return self.render({"form": form, "guardians": pressed, **again})
        if not form.is_valid():
            return self.render({"form": form, "guardians": guardians.bind(), **again}, status=400)
        changes = form.changes()
        if guardians.body() != self.guardians_before(student):
            changes["guardians"] = guardians.body()
        try:
            if changes:
                self.send("PATCH", "student", changes, id=self.student_id)
        except Refused as refused:
            return self.refuse(form, guardians, refused, **again)
        return self.redirect("desk:student", gettext("The changes are saved."), id=self.student_id)


class FindGuardian(StudentFormPage):
    """Guardians of the dojo that match what is typed: to link the guardian of a sibling."""

    template_name = "desk/students/form/guardians_found.html"

    def context(self) -> dict[str, Any]:
        search = self.query("guardian_search").strip()
        return {"found": self.guardians(search) if search else [], "search": search}
