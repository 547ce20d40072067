"""Who is enrolled in a class: add by search, end an enrolment."""

from datetime import date, timedelta
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, DateField, DateInput
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule.classes.view import ClassPage


class Enrolments(ClassPage):
    """GET: find students as you type. POST: enrol one from a day on."""

    template_name = "desk/schedule/classes/found.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        key = self.kwargs["id"]
        if not self.is_fragment:
            return self.redirect(
                f"{reverse('desk:class', kwargs={'id': key})}?{self.request.GET.urlencode()}"
            )
        return self.render({"found_class": self.ask("class", id=key), **self.found_students(key)})

    def submit(self) -> HttpResponseBase:
        key, student = self.kwargs["id"], self.request.POST.get("student", "")
        body = {"student": student, "from": self.request.POST.get("from") or None}
        try:
            enrolment = self.send("POST", "class-enrolments", body, class_id=key)
        except Refused as error:
            messages = [message for found in error.fields.values() for message in found]
            self.say(" ".join(messages) or error.message, "error")
            return self.redirect("desk:class", id=key)
        name = enrolment["student"]["name"]
        if not self.is_fragment:
            return self.redirect("desk:class", gettext("%(name)s is enrolled.") % {"name": name}, id=key)
        context = {**self.of_class(key), "message": gettext("%(name)s is enrolled.") % {"name": name}}
        return self.render(context, template="desk/schedule/classes/enrolled_again.html")


class EndForm(ApiForm):
    until = DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=DateInput({"autofocus": True}),
        help_text=gettext_lazy("From the next day on, the student is not expected."),
    )


class EndEnrolment(Page):
    """Ask for the last day and end an enrolment. Rosters of the past stay as they were."""

    template_name = "desk/schedule/classes/end_enrolment.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        return self.of_enrolment(EndForm(initial={"until": self.today - timedelta(days=1)}))

    def of_enrolment(self, form: EndForm) -> dict[str, Any]:
        """Return what the dialog shows."""
        keys = self.kwargs
        return {
            "found_class": self.ask("class", id=keys["id"]),
            "student": self.ask("student", id=keys["student"]),
            "form": form,
        }

    def submit(self) -> HttpResponseBase:
        form, key = EndForm(self.request.POST), self.kwargs["id"]
        if not form.is_valid():
            return self.render(self.of_enrolment(form), status=400)
        until: date | None = form.cleaned_data["until"]
        query = {"until": until.isoformat() if until else None}
        try:
            self.send(
                "DELETE", "class-enrolment", query=query, class_id=key, student_id=self.kwargs["student"]
            )
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.of_enrolment(form), status=error.status)
        return self.redirect("desk:class", gettext("The enrolment has ended."), id=key)
