"""The forms of a student's records: notes, breaks, facts, ranks, visits, enrolments, logins."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.templatetags.desk import clock
from tenant_apps.desk.templatetags.desk_students import UNITS

NUMBERS: Final = {"opening_attendance", "points"}
"""The kinds of facts whose value is a number."""


class ConfirmForm(ApiForm):
    """A question without fields."""


class ReasonForm(ApiForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, help_text=gettext_lazy("It stays in the history.")
    )


class NoteForm(ApiForm):
    text = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea({"rows": 4}))


class HoldForm(ApiForm):
    """A break. The API's field `from` is a keyword of Python."""

    paths: ClassVar[Mapping[str, str]] = {"from": "first_day"}
    first_day = DateField(label=gettext_lazy("First day"))
    until = DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("Leave it empty if you do not know yet."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)

    def body(self) -> dict[str, Any]:
        found = super().body()
        return {"from": found.pop("first_day"), **found}


class VisitForm(ApiForm):
    """A visit to a session of a day."""

    class_session = forms.ChoiceField(label=gettext_lazy("Session"))
    late = forms.BooleanField(label=gettext_lazy("Came late"), required=False)

    def __init__(self, *args: Any, sessions: Iterable[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["class_session"].choices = [  # type: ignore[attr-defined]
            (one["id"], f"{clock(one['starts_at'])} {one['name']}") for one in sessions
        ]

    def body(self) -> dict[str, Any]:
        found = super().body()
        return found if found["late"] else {"class_session": found["class_session"]}


class EnrolForm(ApiForm):
    """An enrolment in a class from a day on."""

    paths: ClassVar[Mapping[str, str]] = {"from": "first_day"}
    class_id = forms.ChoiceField(label=gettext_lazy("Class"))
    first_day = DateField(
        label=gettext_lazy("From"), required=False, help_text=gettext_lazy("Empty: from today on.")
    )

    def __init__(self, *args: Any, classes: Iterable[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["class_id"].choices = [(one["id"], one["name"]) for one in classes]  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        return {"from": super().body()["first_day"]}


class EnrolmentEndForm(ApiForm):
    until = DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("Empty: from today on they are no longer expected."),
    )


class LoginForm(ApiForm):
    """Who signs in for a student."""

    email = forms.CharField(
        label=gettext_lazy("E-mail"),
        widget=forms.EmailInput,
        help_text=gettext_lazy(
            "If a user has this address already, they are linked. Others get a mail to set a password."
        ),
    )
    name = forms.CharField(label=gettext_lazy("Name"), required=False)


class RankForm(ApiForm):
    """A rank that was not awarded here."""

    rank = forms.ChoiceField(label=gettext_lazy("Rank"))
    kind = forms.ChoiceField(
        label=gettext_lazy("What happened"),
        choices=[
            ("import", gettext_lazy("They hold it already")),
            ("convert", gettext_lazy("Another rank was converted")),
            ("demote", gettext_lazy("They were set back to it")),
        ],
    )
    effective_on = DateField(label=gettext_lazy("Since"))
    note = forms.CharField(label=gettext_lazy("Note"), max_length=500, required=False)

    def __init__(self, *args: Any, systems: Iterable[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rank"].choices = [  # type: ignore[attr-defined]
            (system["name"], [(rank["id"], rank["name"]) for rank in system["ranks"]]) for system in systems
        ]


class RankVoidForm(ReasonForm):
    cascade = forms.BooleanField(
        label=gettext_lazy("Also take back the later ranks that stand on it"), required=False
    )


class AwardForm(ApiForm):
    """The award of one rank."""

    effective_on = DateField(label=gettext_lazy("Day"))
    override_reason = forms.CharField(
        label=gettext_lazy("Reason, if the rules are not met"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Without it, the rank is awarded only if all criteria are met."),
    )

    def body(self) -> dict[str, Any]:
        return {name: value for name, value in super().body().items() if value}


class FactForm(ApiForm):
    """A fact of one kind: which fields it has depends on the kind."""

    paths: ClassVar[Mapping[str, str]] = {
        "value.count": "value", "value.unit": "unit", "value.points": "value", "value.category": "category",
    }  # fmt: skip
    value = forms.CharField(label=gettext_lazy("What"), max_length=200)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=list(UNITS.items()))
    category = forms.CharField(label=gettext_lazy("Category"), max_length=100, required=False)
    rank_system = forms.ChoiceField(label=gettext_lazy("Counts for"), required=False)
    on = DateField(label=gettext_lazy("On"))
    expires_on = DateField(label=gettext_lazy("Last day on which it counts"), required=False)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=500, required=False)

    def __init__(self, *args: Any, kind: str, systems: Iterable[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.fields["rank_system"].choices = [  # type: ignore[attr-defined]
            ("", gettext("All rank systems")), *((one["id"], one["name"]) for one in systems)
        ]  # fmt: skip
        if kind != "opening_attendance":
            del self.fields["unit"]
        if kind != "points":
            del self.fields["category"]
        if kind in NUMBERS:
            self.fields["value"].label = gettext("How many")
            self.fields["value"].widget = forms.NumberInput(attrs={"min": 0, "step": "any"})

    def body(self) -> dict[str, Any]:
        found = super().body()
        value = _number(found["value"]) if self.kind in NUMBERS else found["value"]
        if "unit" in found:
            value = {"count": value, "unit": found.pop("unit")}
        elif category := found.pop("category", ""):
            value = {"points": value, "category": category}
        return {**found, "kind": self.kind, "value": value, "rank_system": found["rank_system"] or None}


def _number(text: str) -> Any:
    """Return a text as a number if it is one; else the text, which the API refuses."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
