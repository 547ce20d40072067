"""Correct the check-in of one student: add it by hand with its time, or void it with a reason."""

from typing import Any, Final

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tatami.api.permissions import Visibility, rule_of
from tatami.errors import NotFound
from tenant_apps.attendance.models import Attendance
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, TimeField, TimeInput
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule.times import instant_near, local

METHODS: Final = {
    "qr_rotating": gettext_lazy("code on the phone"),
    "qr_card": gettext_lazy("card"),
    "session_code": gettext_lazy("code on the wall"),
    "manual": gettext_lazy("by hand"),
    "import": gettext_lazy("import"),
}


class AddForm(ApiForm):
    """A check-in by hand."""

    paths = {"checked_in_at": "time"}
    time = TimeField(label=gettext_lazy("Time of the check-in"), widget=TimeInput({"autofocus": True}))
    late = forms.BooleanField(label=gettext_lazy("Late"), required=False)


class VoidForm(ApiForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.TextInput({"autofocus": True}),
        help_text=gettext_lazy("It stays in the history, for those who ask later."),
    )


class Correction(Page):
    """A dialog about one student at one session."""

    section = "schedule"
    template_name = "desk/schedule/roster/correct.html"

    def context(self) -> dict[str, Any]:
        session = self.ask("class-session", id=self.kwargs["id"])
        return self.of_student(session)

    def of_student(self, session: dict[str, Any], form: ApiForm | None = None) -> dict[str, Any]:
        """Return the student's line of the roster, and the form for it. Raises `NotFound`."""
        key = str(self.kwargs["student"])
        entry = next((one for one in session["roster"] if one["student"]["id"] == key), None)
        if entry is None:
            raise NotFound
        is_here = entry["attendance"] is not None
        if form is None:
            start = local(session["starts_at"]).time()
            form = VoidForm() if is_here else AddForm(initial={"time": start})
        return {
            "session": session,
            "entry": entry,
            "is_here": is_here,
            "may_correct": not is_here or self.may_void(entry["attendance"]),
            "form": form,
            "method": METHODS.get(entry["method"] or "", ""),
        }

    def may_void(self, attendance: str) -> bool:
        """Return whether the API lets the user void it: an assistant only what they recorded today."""
        rule = rule_of("attendance-void", "POST")
        if rule is None or rule.visibility_for(self.user.role) is not Visibility.RECORDED:
            return True
        return Attendance.objects.recorded_by(self.user, self.now).filter(pk=attendance).exists()

    def submit(self) -> HttpResponseBase:
        session = self.ask("class-session", id=self.kwargs["id"])
        context = self.of_student(session)
        form: ApiForm = (VoidForm if context["is_here"] else AddForm)(self.request.POST)
        name = context["entry"]["student"]["name"]
        if not form.is_valid():
            return self.render(self.of_student(session, form), status=400)
        try:
            if context["is_here"]:
                self.send("POST", "attendance-void", form.body(), id=context["entry"]["attendance"])
                message = gettext("The check-in of %(name)s is taken back.")
            else:
                self.send("POST", "attendance", self.attendance(session, form.cleaned_data))
                message = gettext("The check-in of %(name)s is recorded.")
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.of_student(session, form), status=error.status)
        return self.redirect("desk:session", message % {"name": name}, id=session["id"])

    def attendance(self, session: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a check-in by hand. Whether it is late follows from its time, unless it is said."""
        at = instant_near(session["starts_at"], values["time"])
        body = {"student": str(self.kwargs["student"]), "class_session": session["id"], "checked_in_at": at}
        return {**body, "late": True} if values["late"] else body
