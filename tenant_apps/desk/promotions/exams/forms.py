"""The forms of exams: the exam itself, invitations, the result of a candidate, and the fulfilment of a condition."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.choices import (
    class_choices,
    named_choices,
    offer,
    rank_choices,
    rank_systems,
    unchanged,
)
from tenant_apps.desk.schedule.choices import with_current
from tenant_apps.desk.schedule.queries import instructors
from tenant_apps.ranks.definition import ExamRules


class ExamForm(ApiForm):
    """An exam. Guests are written one a line; a licence may stand behind a name, after a semicolon."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    date = DateField(label=gettext_lazy("Date"))
    rank_system = forms.ChoiceField(label=gettext_lazy("Rank system"))
    location = forms.CharField(label=gettext_lazy("Place"), max_length=120, required=False)
    examiners = forms.MultipleChoiceField(
        label=gettext_lazy("Examiners"), required=False, widget=forms.CheckboxSelectMultiple
    )
    guest_examiners = forms.CharField(
        label=gettext_lazy("Guest examiners"),
        required=False,
        help_text=gettext_lazy("One a line; a licence after a semicolon: “Ana Lima; A licence”."),
        widget=forms.Textarea({"rows": 3}),
    )
    notify = forms.BooleanField(
        label=gettext_lazy("Tell the candidates about a new date or place by mail"), required=False
    )

    def __init__(
        self, page: Page, data: Any = None, *, exam: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, initial=_initial(exam) if exam else kwargs.pop("initial", None), **kwargs)
        offer(self, examiners=with_current(instructors(), exam["examiners"] if exam else ()))
        self.licences: Mapping[str, str] = exam["licences"] if exam else {}
        if exam:
            del self.fields["rank_system"]
        else:
            del self.fields["notify"]
            offer(self, rank_system=named_choices(rank_systems(page)))

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request. Licences of users stay as they are."""
        values = super().body()
        guests = [line.split(";", 1) for line in values["guest_examiners"].splitlines() if line.strip()]
        values["guest_examiners"] = [name.strip() for name, *_ in guests]
        kept = {one: self.licences[one] for one in values["examiners"] if one in self.licences}
        values["licences"] = kept | {
            name.strip(): more[0].strip() for name, *more in guests if more and more[0].strip()
        }
        return values

    paths = {"licences": "guest_examiners"}


def _initial(exam: Mapping[str, Any]) -> dict[str, Any]:
    licences = exam["licences"]
    guests = [f"{one}; {licences[one]}" if one in licences else one for one in exam["guest_examiners"]]
    return {
        "name": exam["name"],
        "date": exam["date"],
        "location": exam["location"],
        "examiners": [one["id"] for one in exam["examiners"]],
        "guest_examiners": "\n".join(guests),
        "notify": True,
    }


class EligibleForm(ApiForm):
    """Invite all that a filter selects and who are eligible on the day of the exam."""

    def __init__(self, page: Page, system: Mapping[str, Any], data: Any = None) -> None:
        super().__init__(data)
        self.fields["class"] = forms.ChoiceField(
            label=gettext("Enrolled in the class"), required=False, choices=class_choices(page, unchanged())
        )
        self.fields["rank"] = forms.ChoiceField(
            label=gettext("Holding the rank"), required=False, choices=rank_choices([system], unchanged())
        )
        self.fields["target_ranks"] = forms.MultipleChoiceField(
            label=gettext("To these ranks"),
            required=False,
            choices=rank_choices([system]),
            help_text=gettext(
                "None chosen: the next ranks, one step up. A skip or a conversion must be chosen."
            ),
            widget=forms.SelectMultiple({"size": 6}),
        )

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request."""
        values = self.cleaned_data
        chosen = {"target_ranks": values["target_ranks"]} if values["target_ranks"] else {}
        return {"filter": {name: values[name] for name in ("class", "rank") if values[name]}, **chosen}

    paths = {"filter.class": "class", "filter.rank": "rank"}


OUTCOMES = (
    ("passed", gettext_lazy("Passed")),
    ("failed", gettext_lazy("Failed")),
    ("absent", gettext_lazy("Absent")),
)


class ResultForm(ApiForm):
    """The result of one candidate: outcome, a mark for each technique, a condition, a reason against the rules."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("Outcome"), choices=OUTCOMES, required=False, widget=forms.RadioSelect
    )
    condition_text = forms.CharField(
        label=gettext_lazy("Passed on the condition"), max_length=500, required=False
    )
    condition_until = DateField(label=gettext_lazy("To be met by"), required=False)
    override_reason = forms.CharField(
        label=gettext_lazy("Reason to pass against the rules"), max_length=500, required=False
    )

    def __init__(self, candidate: Mapping[str, Any], rules: ExamRules, data: Any = None) -> None:
        super().__init__(data, prefix=candidate["id"], initial=_result(candidate, rules))
        self.candidate, self.rules = candidate, rules
        self.techniques: Sequence[str] = rules.techniques or tuple(candidate["marks"])
        names = {technique: f"mark-{place}" for place, technique in enumerate(self.techniques)}
        for technique, name in names.items():
            self.fields[name] = forms.FloatField(
                label=technique,
                required=False,
                initial=candidate["marks"].get(technique),
                widget=forms.NumberInput(
                    {
                        "inputmode": "decimal",
                        "step": "any",
                        "min": 0,
                        **({"max": rules.best_mark} if rules.best_mark else {}),
                    }
                ),
            )
        self.names = names
        if rules.pass_mark is not None:
            offer(self, outcome=[("", gettext("By the marks")), *OUTCOMES])
        marks = {f"results.0.marks.{technique}": name for technique, name in names.items()}
        self.paths = {  # type: ignore[misc]  # of this candidate
            **marks,
            "results.0.outcome": "outcome",
            "results.0.override_reason": "override_reason",
            "results.0.condition.text": "condition_text",
            "results.0.condition.until": "condition_until",
            "results.0.condition": "condition_text",
        }

    @property
    def mark_fields(self) -> list[Any]:
        """The fields of the marks."""
        return [self[name] for name in self.names.values()]

    @property
    def has_more(self) -> bool:
        """Whether a condition or a reason is set, or has an error, so that they are shown at once."""
        more = ("condition_text", "condition_until", "override_reason")
        return any(self[name].value() or self[name].errors for name in more)

    def body(self) -> dict[str, Any]:
        """Return the result as the API takes it. What is empty is left out, which clears it."""
        values = super().body()
        marks = {one: values[name] for one, name in self.names.items() if values[name] is not None}
        found: dict[str, Any] = {"candidate": str(self.candidate["id"]), "marks": marks}
        if values["outcome"]:
            found["outcome"] = values["outcome"]
        if values["override_reason"]:
            found["override_reason"] = values["override_reason"]
        if values["condition_text"] or values["condition_until"]:
            until = values["condition_until"]
            found["condition"] = {"text": values["condition_text"], **({"until": until} if until else {})}
        return found


def _result(candidate: Mapping[str, Any], rules: ExamRules) -> dict[str, Any]:
    """Return the result as it is stored. An outcome that the marks decided is not chosen: they go on deciding."""
    condition = candidate["condition"] or {"text": "", "until": None}
    is_by_marks = (
        rules.pass_mark is not None
        and candidate["marks"]
        and not (candidate["condition"] or candidate["override_reason"])
        and candidate["outcome"] == ("failed" if rules.low_marks(candidate["marks"]) else "passed")
    )
    return {
        "outcome": "" if is_by_marks else candidate["outcome"] or "",
        "override_reason": candidate["override_reason"],
        "condition_text": condition["text"],
        "condition_until": condition["until"],
    }


class FulfilmentForm(ApiForm):
    met_on = DateField(label=gettext_lazy("Met on"), required=False, help_text=gettext_lazy("Empty: today."))
    override_reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Needed after the last day, or if the rules are not met."),
    )

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request."""
        return {name: value for name, value in super().body().items() if value}

    def add_refusal(self, refused: Refused) -> None:
        """Show the messages of the API. After the last day, a reason is asked for."""
        if refused.code == "deadline_passed":
            self.add_error("override_reason", gettext("The last day is over: a reason is needed."))
        else:
            super().add_refusal(refused)
