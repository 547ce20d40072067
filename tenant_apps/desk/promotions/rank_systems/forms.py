"""Rules as a form: the names, colours, ages and numbers of a document, each field named for its place in it.

A field's name is the dotted path that the API uses for faults, so each message stands at its field. Ranks, steps and
criteria are added and removed in the JSON text (`text.py`).
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.promotions.choices import offer
from tenant_apps.desk.promotions.rank_systems.shown_rules import CONFIDENCES
from tenant_apps.ranks.criteria import KINDS

MOST_BANDS: Final = 3
MOST_SENT: Final = 1_000_000_000
"""The largest number that a form sends. The API has narrower bounds, and names them."""
MOST_FIELDS: Final = 900
"""A browser's request may have 1,000 fields. Larger systems are changed as text."""

_NUMBERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "time_in_rank": {"months": gettext_lazy("Waiting time in months")},
    "attendance_count": {"n": gettext_lazy("Training")},
    "attendance_rate": {"percent": gettext_lazy("Per cent of the classes offered")},
    "age": {"min": gettext_lazy("Youngest age"), "max": gettext_lazy("Oldest age")},
    "points": {"n": gettext_lazy("Points")},
    "approval": {"count": gettext_lazy("People who approve")},
    "credential": {"max_age_months": gettext_lazy("Oldest certificate in months")},
    "event_count": {"n": gettext_lazy("Number of events")},
    "sub_ranks": {"n": gettext_lazy("Stripes")},
    "retest_gap": {"months": gettext_lazy("Months after a failed test")},
    "total_training_time": {"months": gettext_lazy("Training time in months")},
    "at_most": {"n": gettext_lazy("At most")},
}
"""Kind of criterion → its numbers that the form offers."""

_UNITS: Final = {
    "day": gettext_lazy("Days of training"),
    "session": gettext_lazy("Classes attended"),
    "hour": gettext_lazy("Hours of training"),
}

_SYSTEM_FIELDS: Final = ("name", "art", "source", "confidence", "edition", "effective_on", "note")


def value_at(document: Any, place: str) -> Any:
    """Return the value at a dotted path of a document; `None` if there is none."""
    for part in place.split("."):
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def set_at(document: Any, place: str, value: Any) -> None:
    """Set the value at a dotted path of a document. An empty value removes it; missing objects are added."""
    *parents, last = place.split(".")
    for part in parents:
        document = document[int(part)] if isinstance(document, list) else document.setdefault(part, {})
    if value in (None, "", []):
        document.pop(last, None)
    else:
        document[last] = value


class RulesForm(ApiForm):
    """The common fields of a document. What the form does not offer stays as it is."""

    name = forms.CharField(label=gettext_lazy("Name"))
    art = forms.CharField(label=gettext_lazy("Martial art"))
    source = forms.CharField(label=gettext_lazy("Source"))
    confidence = forms.ChoiceField(label=gettext_lazy("How sure it is"), choices=list(CONFIDENCES.items()))
    edition = forms.CharField(label=gettext_lazy("Edition"), required=False)
    effective_on = DateField(
        label=gettext_lazy("In force from"),
        required=False,
        help_text=gettext_lazy("Checks of earlier days use the version before. Empty: every day."),
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, widget=forms.Textarea({"rows": 2}))
    version = forms.IntegerField(min_value=1, max_value=MOST_SENT, widget=forms.HiddenInput)

    def __init__(self, rules: Mapping[str, Any], data: Any = None) -> None:
        self.document = {name: value for name, value in rules.items() if name != "version"}
        initial = {name: rules.get(name) for name in (*_SYSTEM_FIELDS, "version")}
        super().__init__(data, initial=initial)
        self.rank_names = {rank["code"]: rank["name"] for rank in self.document["ranks"]}
        for place, rank in enumerate(self.document["ranks"]):
            self._add_rank(f"ranks.{place}", rank)
        for place, step in enumerate(self.document["steps"]):
            self._add_step(f"steps.{place}", step)
        self.paths = {name: name for name in self.fields}  # type: ignore[misc]  # of this document

    def _add(self, place: str, field: forms.Field, *, required: bool = False) -> None:
        field.required, field.initial = required, value_at(self.document, place)
        self.fields[place] = field

    def _add_number(self, place: str, label: Any, *, required: bool = False) -> None:
        widget = forms.NumberInput({"inputmode": "numeric"})
        field = forms.IntegerField(label=label, min_value=0, max_value=MOST_SENT, widget=widget)
        self._add(place, field, required=required)

    def _add_rank(self, place: str, rank: Mapping[str, Any]) -> None:
        self._add(f"{place}.name", forms.CharField(label=gettext("Name")), required=True)
        self._add(f"{place}.native_name", forms.CharField(label=gettext("Name in the art's script")))
        colours = rank.get("colours", [])[:MOST_BANDS]
        choices = [
            (number, gettext("none") if not number else str(number)) for number in range(MOST_BANDS + 1)
        ]
        bands = forms.TypedChoiceField(label=gettext("Colours"), choices=choices, coerce=int, empty_value="0")
        self._add(f"{place}.bands", bands)
        bands.initial = len(colours)
        for band in range(MOST_BANDS):
            label = gettext("Colour {number}").format(number=band + 1)
            field = forms.CharField(label=label, widget=forms.TextInput({"type": "color"}))
            self._add(f"{place}.colours.{band}", field)
            field.initial = colours[band] if band < len(colours) else "#ffffff"
        self._add_number(f"{place}.holding_ages.min", gettext("Youngest age"))
        self._add_number(f"{place}.holding_ages.max", gettext("Oldest age"))

    def _add_step(self, place: str, step: Mapping[str, Any]) -> None:
        for path_place, path in enumerate(step["paths"]):
            for criterion_place, criterion in enumerate(path["criteria"]):
                at = f"{place}.paths.{path_place}.criteria.{criterion_place}"
                for parameter, label in _NUMBERS.get(criterion["kind"], {}).items():
                    unit = criterion.get("unit") if criterion["kind"] == "attendance_count" else None
                    required = parameter in KINDS[criterion["kind"]].required
                    self._add_number(f"{at}.{parameter}", _UNITS.get(unit or "", label), required=required)

    @property
    def system_fields(self) -> list[Any]:
        """The fields about the system."""
        return [self[name] for name in _SYSTEM_FIELDS]

    @property
    def ranks(self) -> list[dict[str, Any]]:
        """The fields of each rank: `about`, `bands`, `colours`, `ages`, and the numbers of the `steps` to it."""
        found = []
        for place, rank in enumerate(self.document["ranks"]):
            at = f"ranks.{place}"
            found.append(
                {
                    "name": rank["name"],
                    "about": [self[f"{at}.name"], self[f"{at}.native_name"]],
                    "bands": self[f"{at}.bands"],
                    "colours": [self[f"{at}.colours.{band}"] for band in range(MOST_BANDS)],
                    "ages": [self[f"{at}.holding_ages.min"], self[f"{at}.holding_ages.max"]],
                    "steps": self._steps_to(rank["code"]),
                }
            )
        return found

    def _steps_to(self, code: str) -> list[tuple[str | None, list[tuple[str, list[Any]]]]]:
        """Return the steps to a rank: the name of the origin, and each path with the fields of its numbers."""
        found = []
        for place, step in enumerate(self.document["steps"]):
            if step["to"] != code:
                continue
            paths = []
            for path_place, path in enumerate(step["paths"]):
                start = f"steps.{place}.paths.{path_place}.criteria."
                fields = [self[name] for name in self.fields if name.startswith(start)]
                if fields:
                    paths.append((path["name"], fields))
            if paths:
                found.append((self.rank_names.get(step["from"], step["from"]), paths))
        return found

    def body(self) -> dict[str, Any]:
        """Return the whole document with the values that were entered, and the version that was read."""
        document = deepcopy(self.document)
        values = super().body()
        values["note"] = values["note"].replace("\r\n", "\n")  # as browsers send line breaks
        for place, rank in enumerate(document["ranks"]):
            at = f"ranks.{place}"
            entered = [values.pop(f"{at}.colours.{band}") for band in range(MOST_BANDS)]
            bands = int(values.pop(f"{at}.bands"))
            further = rank.get("colours", [])[MOST_BANDS:] if bands == MOST_BANDS else []
            set_at(rank, "colours", entered[:bands] + further)
        for name, value in values.items():
            set_at(document, name, value)
        for rank in document["ranks"]:
            if not {"min", "max"} & set(rank.get("holding_ages", {})):
                rank.pop("holding_ages", None)
        return document


class SystemForm(ApiForm):
    """The name of a rank system in this dojo, and its discipline."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    discipline = forms.ChoiceField(label=gettext_lazy("Discipline"), required=False)

    def __init__(self, disciplines: list[tuple[str, Any]], data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        offer(self, discipline=disciplines)

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request."""
        return {"name": self.cleaned_data["name"], "discipline": self.cleaned_data["discipline"] or None}
