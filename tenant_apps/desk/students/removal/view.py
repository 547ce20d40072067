"""Pages that take a record away: archive and restore, erase, merge."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tatami.api.filters import read_uuid
from tatami.errors import NotFound
from tatami.text import normalise
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.students.profile.queries import namesakes
from tenant_apps.desk.students.student_page import StudentPage

MOST_FOUND: Final = 10


class Archive(StudentPage):
    """Archive a student, after a question."""

    template_name = "desk/students/removal/archive.html"

    def context(self) -> dict[str, Any]:
        return {"student": self.student}

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", "student", id=self.student_id)
        said = gettext("The student is archived. You can restore them here.")
        return self.redirect("desk:student", said, id=self.student_id)


class Restore(StudentPage):
    """Restore an archived student."""

    def submit(self) -> HttpResponseBase:
        self.send("PATCH", "student", {"archived": False}, id=self.student_id)
        return self.redirect("desk:student", gettext("The student is restored."), id=self.student_id)


class EraseForm(ApiForm):
    name = forms.CharField(
        label=gettext_lazy("Name of the student"),
        widget=forms.TextInput({"autocomplete": "off"}),
    )


class Erase(StudentPage):
    """Erase a student. The name has to be typed."""

    template_name = "desk/students/removal/erase.html"

    def context(self) -> dict[str, Any]:
        return {"student": self.student, "form": EraseForm()}

    def submit(self) -> HttpResponseBase:
        student, form = self.student, EraseForm(self.request.POST)
        if form.is_valid() and normalise(form.cleaned_data["name"]) != normalise(student["name"]):
            form.add_error("name", gettext("Type the name as it is written above."))
        if form.errors:
            return self.render({"student": student, "form": form}, status=400)
        self.send("POST", "student-erasure", {"confirm": student["id"]}, student_id=self.student_id)
        return self.redirect("desk:students", gettext("All data about the student is erased."))


class Merge(StudentPage):
    """Merge another record into this one: find it, see what would happen, confirm."""

    template_name = "desk/students/removal/merge.html"

    def context(self) -> dict[str, Any]:
        search = self.query("search").strip()
        found = (
            self.ask("students", query={"search": search, "page_size": MOST_FOUND})["results"]
            if search
            else []
        )
        return {
            "student": self.student,
            "search": search,
            "found": [one for one in found if one["id"] != self.student["id"]],
            "namesakes": namesakes(self.student),
        }

    def submit(self) -> HttpResponseBase:
        duplicate = self.duplicate(self.request.POST.get("duplicate", ""))
        is_preview = "confirmed" not in self.request.POST
        body = {"duplicate": str(duplicate), "dry_run": is_preview}
        try:
            merge = self.send("POST", "student-merge", body, student_id=self.student_id)
        except Refused as refused:
            return self.render({**self.context(), "refused": refused}, status=refused.status)
        if is_preview:
            return self.render(
                {"student": self.student, "merge": merge}, template="desk/students/removal/merge_preview.html"
            )
        said = gettext("%(name)s is merged into this record.") % {"name": merge["duplicate"]["name"]}
        return self.redirect("desk:student", said, id=self.student_id)

    def duplicate(self, text: str) -> UUID:
        """Return the id of the record that is merged. Raises `NotFound`."""
        try:
            return read_uuid(text)
        except ValueError:
            raise NotFound from None
