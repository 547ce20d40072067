"""Closures: days on which no session takes place, of the whole dojo or of some classes."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.db import transaction
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy, ngettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule import choices, queries

PAGE_SIZE: Final = 50
SHOWN: Final = 5


class ClosureForm(ApiForm):
    """From one day until another, both included."""

    paths = {"from": "starts_on"}

    starts_on = DateField(label=gettext_lazy("First day"))
    until = DateField(
        label=gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: only the first day.")
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("For example: Easter. Students read it."),
    )
    classes = forms.MultipleChoiceField(
        label=gettext_lazy("Only these classes"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: the whole dojo is closed."),
    )

    def __init__(self, *args: Any, classes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["classes"].choices = classes  # type: ignore[attr-defined]
        if not classes:
            del self.fields["classes"]

    def body(self) -> dict[str, Any]:
        values = super().body()
        body = {"from": values["starts_on"], "until": values["until"] or values["starts_on"]}
        return {**body, "reason": values["reason"], "classes": values.get("classes", [])}


class Closures(Page):
    """The closures, the latest first."""

    template_name = "desk/schedule/closures/list.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        found = self.ask_page("closures", page_size=PAGE_SIZE)
        return {"closures": found.rows, **found.place}


class NewClosure(Page):
    """Close the dojo. htmx asks `?starts_on=…` for the sessions that would be cancelled."""

    template_name = "desk/schedule/closures/form.html"
    section = "schedule"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.is_fragment:
            return self.render(self.preview(), template="desk/schedule/closures/preview.html")
        return super().get()

    def context(self) -> dict[str, Any]:
        return {"form": self.form()}

    def form(self, data: Any = None) -> ClosureForm:
        """Return the form with the classes of the dojo."""
        return ClosureForm(data, classes=choices.classes(self))

    def preview(self) -> dict[str, Any]:
        """Return the scheduled sessions of the days that are entered so far."""
        form = self.form(self.request.GET)
        if not form.is_valid() or not form.cleaned_data["starts_on"]:
            return {}
        body = form.body()
        query = {"from": body["from"], "to": body["until"], "status": "scheduled", "page_size": SHOWN}
        try:
            with transaction.atomic():  # A refusal must not break the transaction of the page.
                found = self.ask("class-sessions", query=query)
        except Refused as error:
            return {"refusal": " ".join(error.fields.get("to", [error.message]))}
        count, sessions = found["count"], found["results"]
        chosen = [UUID(one) for one in body["classes"]]
        if (
            chosen
        ):  # The API lists the sessions of one class, or of all. By its answer all of them are planned.
            first = form.cleaned_data["starts_on"]
            last = form.cleaned_data["until"] or first
            count, sessions = queries.sessions_to_close(first, last, chosen, most=SHOWN)
        return {
            "sessions": sessions,
            "count": count,
            "more": max(0, count - SHOWN),
            "tells": self.ask("settings")["notify_class_cancelled"],
        }

    def submit(self) -> HttpResponseBase:
        form = self.form(self.request.POST)
        if not form.is_valid():
            return self.render({"form": form}, status=400)
        try:
            closure = self.send("POST", "closures", form.body())
        except Refused as error:
            form.add_refusal(error)
            return self.render({"form": form}, status=error.status)
        count = closure["sessions"]
        message = ngettext(
            "Closed. %(count)s session is cancelled.", "Closed. %(count)s sessions are cancelled.", count
        )
        return self.redirect("desk:closures", message % {"count": count})


class Reopen(Page):
    """Ask, then delete a closure: its sessions take place again."""

    template_name = "desk/schedule/closures/reopen.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        return {"closure": self.ask("closure", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", "closure", id=self.kwargs["id"])
        return self.redirect("desk:closures", gettext("Reopened. The sessions take place again."))
