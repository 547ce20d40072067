"""The base of the pages that change one record of a student: a dialog with htmx, a page without."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.students.records.forms import ConfirmForm
from tenant_apps.desk.students.student_page import StudentPage


class RecordPage(StudentPage):
    """A form, and what its values are sent to. Subclasses say what in `save`."""

    template_name = "desk/students/records/page.html"
    form_class: ClassVar[type[ApiForm]] = ConfirmForm
    title: ClassVar["str | Promise"] = ""
    action: ClassVar["str | Promise"] = ""
    """The text of the button."""
    question: ClassVar["str | Promise"] = ""
    """What happens, if that is not plain."""
    done: ClassVar["str | Promise"] = ""
    """What is said afterwards."""
    sends: ClassVar[tuple[str, ...]] = ()
    """Where `save` sends the values: method, route, and the names of its path parameters (`id` is the record)."""
    is_destructive: ClassVar[bool] = False
    delete_route: ClassVar[str] = ""
    """The page that deletes the record that this page changes."""

    @property
    def record_id(self) -> UUID:
        """The id of the record in the path."""
        found: UUID = self.kwargs["record_id"]
        return found

    @property
    def delete_url(self) -> str:
        """The address of the page that deletes the record, if there is one that the user may open."""
        if not self.delete_route or not self.may(self.delete_route, "POST"):
            return ""
        return reverse(self.delete_route, kwargs={"id": self.student_id, "record_id": self.record_id})

    def save(self, form: ApiForm) -> None:
        """Send the values of a form to the API. Raises `Refused`."""
        method, route, *names = self.sends
        keys: dict[str, Any] = {
            name: self.student_id if name == "student_id" else self.record_id for name in names
        }
        self.send(method, route, form.body() or None, **keys)

    def initial(self) -> Mapping[str, Any]:
        """Return the values with which the form begins."""
        return {}

    def form_options(self) -> Mapping[str, Any]:
        """Return more arguments of the form."""
        return {}

    def form(self, entered: Any = None) -> ApiForm:
        """Return the form, with what was entered."""
        return self.form_class(entered, initial=dict(self.initial()), **self.form_options())

    def context(self) -> dict[str, Any]:
        return self.shown(self.form())

    def shown(self, form: ApiForm) -> dict[str, Any]:
        """Return what the template shows."""
        return {"form": form, "student": self.student}

    def submit(self) -> HttpResponseBase:
        form = self.form(self.request.POST)
        status = 400
        if form.is_valid():
            try:
                self.save(form)
            except Refused as refused:
                if refused.status == 404:  # noqa: PLR2004 - the record is gone: no form can mend that
                    raise
                form.add_refusal(refused)
                status = refused.status
            else:
                return self.redirect("desk:student", str(self.done), id=self.student_id)
        return self.render(self.shown(form), status=status)

    def render(self, context: Mapping[str, Any], *, template: str = "", status: int = 200) -> HttpResponse:
        """Return the page, or for htmx only the form, for the dialog."""
        dialog = "desk/students/records/form.html" if self.is_fragment else ""
        return super().render(context, template=template or dialog, status=status)
