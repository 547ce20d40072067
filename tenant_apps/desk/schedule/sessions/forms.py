"""The forms of one session: a new one, a change, a cancellation."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from tenant_apps.desk.forms import ApiForm, DateField, TimeField
from tenant_apps.desk.schedule.times import instant_of, local

_OWN = ("name", "location", "capacity", "instructors", "note", "duration_minutes")
"""The fields that the API takes as they are."""


class SessionForm(ApiForm):
    """When, where, who teaches, for how many."""

    paths = {"starts_at": "start_time", "class": "training_class"}

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, required=False)
    day = DateField(label=gettext_lazy("Day"))
    start_time = TimeField(label=gettext_lazy("Start"))
    duration_minutes = forms.IntegerField(label=gettext_lazy("Minutes"), min_value=1)
    location = forms.CharField(
        label=gettext_lazy("Place"),
        max_length=120,
        required=False,
        widget=forms.TextInput({"list": "places", "autocomplete": "off"}),
    )
    capacity = forms.IntegerField(
        label=gettext_lazy("Places"),
        min_value=1,
        required=False,
        help_text=gettext_lazy("How many may check in. Empty: no limit."),
    )
    instructors = forms.MultipleChoiceField(
        label=gettext_lazy("Instructors"), required=False, widget=forms.CheckboxSelectMultiple
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Shown to students, too."),
    )

    def __init__(self, *args: Any, instructors: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["instructors"].choices = instructors  # type: ignore[attr-defined]
        if not instructors:
            del self.fields["instructors"]

    def starts_at(self) -> str:
        """Return the entered day and time, which are local, as an instant."""
        return instant_of(self.cleaned_data["day"], self.cleaned_data["start_time"])


class NewSessionForm(SessionForm):
    """A session that no class has in its weekly times. What is empty is taken from the class, if one is chosen."""

    training_class = forms.ChoiceField(
        label=gettext_lazy("Class"),
        required=False,
        help_text=gettext_lazy("An additional session of a class has its name, place and instructors."),
    )
    discipline = forms.ChoiceField(label=gettext_lazy("Discipline"), required=False)

    field_order = (
        "training_class",
        "name",
        "day",
        "start_time",
        "duration_minutes",
        "location",
        "discipline",
    )

    def __init__(
        self, *args: Any, classes: list[tuple[str, str]], disciplines: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["training_class"].choices = classes  # type: ignore[attr-defined]
        self.fields["discipline"].choices = disciplines  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        values = {name: self.cleaned_data.get(name) for name in (*_OWN, "discipline")}
        values["class"] = self.cleaned_data["training_class"]
        given = {name: value for name, value in values.items() if value not in (None, "", [])}
        return {"duration_minutes": None, **given, "starts_at": self.starts_at()}


class SessionChangesForm(SessionForm):
    """A change of one session. Only what differs is sent: the rest keeps following its class."""

    notify = forms.BooleanField(
        label=gettext_lazy("Tell the students who are expected about a new time or place"),
        required=False,
        initial=True,
    )

    def body(self) -> dict[str, Any]:
        changed = set(self.changed_data)
        body = {name: self.cleaned_data[name] for name in _OWN if name in changed}
        if changed & {"day", "start_time"}:
            body["starts_at"] = self.starts_at()
        return {**body, "notify": self.cleaned_data["notify"]}

    @staticmethod
    def initial_of(session: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a session of the API for this form."""
        start: datetime = local(session["starts_at"])
        return {
            **{name: session[name] for name in _OWN if name != "instructors"},
            "instructors": [one["id"] for one in session["instructors"]],
            "day": start.date(),
            "start_time": start.time().replace(second=0, microsecond=0),
        }


class CancellationForm(ApiForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        widget=forms.TextInput({"autofocus": True}),
        help_text=gettext_lazy("Students read it in the calendar and in the e-mail."),
    )
