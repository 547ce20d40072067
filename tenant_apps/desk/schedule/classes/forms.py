"""The form of a class: its weekly times, who teaches, who may come, and when check-in is open."""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, DateField, TimeField
from tenant_apps.desk.schedule.times import WEEKDAY_CHOICES

_OWN: Final = ("name", "class_type", "location", "capacity", "counts_toward_promotion", "instructors")
_REFERENCES: Final = ("discipline", "min_rank")
_WINDOW: Final = ("opens_minutes_before", "closes_minutes_after", "late_after_minutes")
_TIMES: Final = ("weekdays", "start_time", "duration_minutes")
_PERIOD: Final = ("starts_on", "until", "every_weeks")
MOST_MORE_TIMES: Final = 20


class Pills(forms.CheckboxSelectMultiple):
    """Check boxes in a row, for a few short choices."""

    def __init__(self) -> None:
        super().__init__({"class": "pill"})


class TimesForm(ApiForm):
    """Weekdays with one start time. A class has one or more of these."""

    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("Days"), choices=WEEKDAY_CHOICES, required=False, widget=Pills
    )
    start_time = TimeField(label=gettext_lazy("Start"), required=False)
    duration_minutes = forms.IntegerField(label=gettext_lazy("Minutes"), required=False)

    def body(self) -> dict[str, Any]:
        body = super().body()
        return {name: body[name] for name in _TIMES}

    @property
    def is_blank(self) -> bool:
        """Whether neither a day nor a start is entered: such a row is left out."""
        return not self.cleaned_data["weekdays"] and self.cleaned_data["start_time"] is None


class ClassForm(TimesForm):
    """All of a class but its additional times, which are forms of their own (`ClassForms`)."""

    paths = {
        **{f"recurrence.{name}": name for name in (*_TIMES, "until", "every_weeks")},
        **{f"check_in_window.{name}": name for name in _WINDOW},
        "recurrence.from": "starts_on",
        "expected_attendance.per_week": "per_week",
        "expected_attendance.rate": "percent",
    }

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    start_time = TimeField(label=gettext_lazy("Start"))
    duration_minutes = forms.IntegerField(label=gettext_lazy("Minutes"))
    class_type = forms.CharField(
        label=gettext_lazy("Kind"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("For example: children, beginners, sparring."),
    )
    discipline = forms.ChoiceField(label=gettext_lazy("Discipline"), required=False)
    location = forms.CharField(
        label=gettext_lazy("Place"),
        max_length=120,
        required=False,
        widget=forms.TextInput({"list": "places", "autocomplete": "off"}),
    )
    instructors = forms.MultipleChoiceField(
        label=gettext_lazy("Instructors"), required=False, widget=forms.CheckboxSelectMultiple
    )
    starts_on = DateField(label=gettext_lazy("First day"))
    until = DateField(
        label=gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: it goes on.")
    )
    every_weeks = forms.IntegerField(
        label=gettext_lazy("Every … weeks"),
        required=False,
        help_text=gettext_lazy("1: every week. 2: every other week."),
    )
    capacity = forms.IntegerField(
        label=gettext_lazy("Places"), required=False, help_text=gettext_lazy("Empty: no limit.")
    )
    min_rank = forms.ChoiceField(
        label=gettext_lazy("Lowest rank"),
        required=False,
        help_text=gettext_lazy("Who has a lower rank cannot check in, if the settings say so."),
    )
    counts_toward_promotion = forms.BooleanField(
        label=gettext_lazy("Its sessions count toward promotion"), required=False
    )
    per_week = forms.FloatField(
        label=gettext_lazy("Visits expected of a student in a week"),
        required=False,
        help_text=gettext_lazy("For the report on expected attendance."),
    )
    percent = forms.FloatField(
        label=gettext_lazy("Or: share of the enrolled who come, in percent"), required=False
    )
    opens_minutes_before = forms.IntegerField(
        label=gettext_lazy("Check-in opens, minutes before the start"), required=False
    )
    closes_minutes_after = forms.IntegerField(
        label=gettext_lazy("Check-in closes, minutes after the start"), required=False
    )
    late_after_minutes = forms.IntegerField(
        label=gettext_lazy("Late from, minutes after the start"), required=False
    )
    apply_from = DateField(
        label=gettext_lazy("The change applies from"),
        required=False,
        help_text=gettext_lazy("Sessions before this day, and those with attendance, stay as they are."),
    )

    def __init__(
        self,
        *args: Any,
        instructors: list[tuple[str, str]],
        disciplines: list[tuple[str, str]],
        ranks: list[Any],
        settings: Mapping[str, Any],
        is_new: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["instructors"].choices = instructors
        fields["discipline"].choices = disciplines
        fields["min_rank"].choices = ranks
        for name in _WINDOW:
            fields[name].widget.attrs["placeholder"] = settings[name]
        if is_new:
            del fields["apply_from"]
        if not instructors:
            del fields["instructors"]

    def body_with(
        self, more_times: list[dict[str, Any]], *, more_changed: bool, is_new: bool
    ) -> dict[str, Any]:
        """Return the body of the request. A change has only what differs from the class."""
        values = super(TimesForm, self).body()
        changed = set(self.fields) if is_new else set(self.changed_data)
        body: dict[str, Any] = {name: values[name] for name in _OWN if name in changed}
        body |= {name: values[name] or None for name in _REFERENCES if name in changed}
        if more_changed or changed & {*_TIMES, *_PERIOD}:
            body["recurrence"] = self._recurrence(values, more_times)
        if changed & set(_WINDOW):
            body["check_in_window"] = {name: values[name] for name in _WINDOW}
        if changed & {"per_week", "percent"}:
            body["expected_attendance"] = _expected(values["per_week"], values["percent"])
        if not is_new and values["apply_from"]:
            body["apply_from"] = values["apply_from"]
        return body

    def _recurrence(self, values: Mapping[str, Any], more_times: list[dict[str, Any]]) -> dict[str, Any]:
        found = {
            **{name: values[name] for name in _TIMES},
            "from": values["starts_on"],
            "until": values["until"],
        }
        if values["every_weeks"] is not None:
            found["every_weeks"] = values["every_weeks"]
        return {**found, "more_times": more_times} if more_times else found


class ClassForms:
    """The form of a class and those of its additional times, which are filled in and refused together."""

    def __init__(
        self, form: ClassForm, more: list[TimesForm], *, before: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.form, self.more = form, more
        self.before = list(before)
        """The additional times that the class has."""

    def is_valid(self) -> bool:
        """Whether every text is a time or a number where it must be one."""
        return all([self.form.is_valid(), *[one.is_valid() for one in self.more]])

    def body(self, *, is_new: bool) -> dict[str, Any]:
        """Return the body of the request to the API."""
        entered = [one.body() for one in self._entered()]
        return self.form.body_with(entered, more_changed=entered != self.before, is_new=is_new)

    def add_refusal(self, refused: Refused) -> None:
        """Show the messages of the API: those of an additional time at its row."""
        rows, own, shown = self._entered(), {}, False
        for path, messages in refused.fields.items():
            prefix, _, rest = path.partition("recurrence.more_times.")
            place, _, name = rest.partition(".")
            if not prefix and place.isdigit() and int(place) < len(rows) and name in rows[int(place)].fields:
                rows[int(place)].add_error(name, list(messages))
                shown = True
            else:
                own[path] = messages
        if own or not shown:
            refused.details = own or refused.details
            self.form.add_refusal(refused)

    def _entered(self) -> list[TimesForm]:
        return [one for one in self.more if not one.is_blank]


def initial_of(found: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the values of a class of the API for `ClassForm`."""
    recurrence, expected = found["recurrence"], found["expected_attendance"]
    rate = expected.get("rate")
    return {
        **{name: found[name] for name in _OWN if name != "instructors"},
        **{name: (found[name] or {}).get("id", "") for name in _REFERENCES},
        **times_initial(recurrence),
        **found["check_in_window"],
        "instructors": [one["id"] for one in found["instructors"]],
        "starts_on": date.fromisoformat(recurrence["from"]),
        "until": date.fromisoformat(recurrence["until"]) if recurrence.get("until") else None,
        "every_weeks": recurrence.get("every_weeks", 1),
        "per_week": expected.get("per_week"),
        "percent": None if rate is None else round(rate * 100, 2),
        "apply_from": today,
    }


def times_initial(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return one start time of a recurrence for `TimesForm`."""
    return {**{name: entry[name] for name in _TIMES}, "start_time": time.fromisoformat(entry["start_time"])}


def _expected(per_week: float | None, percent: float | None) -> dict[str, float]:
    found = {"per_week": per_week, "rate": None if percent is None else percent / 100}
    return {name: value for name, value in found.items() if value is not None}
