"""Batches: the list, a new one, its live progress and results, cancelling and reverting it."""

from typing import Any, Final

from django import forms
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.choices import (
    class_choices,
    discipline_choices,
    named_choices,
    offer,
    rank_choices,
    rank_systems,
    unchanged,
)
from tenant_apps.desk.promotions.picks import Pick, read_picks
from tenant_apps.desk.promotions.revert import RevertForm, later_ranks

PAGE_SIZE: Final = 50
STATES: Final = {
    "awarded": gettext_lazy("awarded"),
    "checked": gettext_lazy("checked"),
    "refused": gettext_lazy("refused"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
    "reverted": gettext_lazy("reverted"),
    "queued": gettext_lazy("waiting"),
}
STATUSES: Final = {
    "queued": gettext_lazy("waiting"),
    "running": gettext_lazy("running"),
    "paused": gettext_lazy("paused"),
    "done": gettext_lazy("done"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
    "reverted": gettext_lazy("reverted"),
}
_UNFINISHED: Final = {"queued", "running", "paused"}


def shown_batch(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch of the API with what its page shows: names of its status, numbers by state, whether it runs."""
    return {
        **batch,
        "status_name": STATUSES[batch["status"]],
        "is_unfinished": batch["status"] in _UNFINISHED,
        "numbers": [(name, label, batch[name]) for name, label in STATES.items() if batch.get(name)],
        "seen": f"{batch['status']}-{batch['done']}",
    }


class Batches(Page):
    """The batches, the latest first."""

    template_name = "desk/promotions/batches/list.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        found = self.ask_page("promotion-batches", page_size=PAGE_SIZE)
        return {"batches": [shown_batch(one) for one in found.rows], **found.place}


class BatchForm(ApiForm):
    """What a batch does, and for which students. Without chosen students, it is for all that the filter selects."""

    award = forms.ChoiceField(
        label=gettext_lazy("What to do"),
        choices=[
            ("true", gettext_lazy("Award ranks to all who are eligible")),
            ("false", gettext_lazy("Only check, and change nothing")),
        ],
        initial="true",
        widget=forms.RadioSelect,
    )
    as_of = DateField(
        label=gettext_lazy("As of"),
        required=False,
        help_text=gettext_lazy("Empty: today. An award is of this day."),
    )
    rank_system = forms.ChoiceField(label=gettext_lazy("In the rank system"), required=False)
    target_ranks = forms.MultipleChoiceField(
        label=gettext_lazy("To these ranks"),
        required=False,
        help_text=gettext_lazy(
            "None chosen: the next ranks, one step up. A skip or a conversion must be chosen."
        ),
        widget=forms.SelectMultiple({"size": 6}),
    )
    students = forms.CharField(required=False, widget=forms.HiddenInput)
    """Where the API's messages about the students stand."""

    def __init__(self, page: Page, data: Any = None, *, picks: list[Pick], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        systems = rank_systems(page)
        if picks:
            del self.fields["rank_system"], self.fields["target_ranks"]
            return
        offer(self, rank_system=named_choices(systems, unchanged()))
        offer(self, target_ranks=rank_choices(systems))
        self.fields["filter_class"] = forms.ChoiceField(
            label=gettext("Enrolled in the class"), required=False, choices=class_choices(page, unchanged())
        )
        self.fields["filter_discipline"] = forms.ChoiceField(
            label=gettext("Enrolled in the discipline"),
            required=False,
            choices=discipline_choices(page, unchanged()),
        )
        self.fields["filter_rank"] = forms.ChoiceField(
            label=gettext("Holding the rank"), required=False, choices=rank_choices(systems, unchanged())
        )

    paths = {
        "filter.class": "filter_class",
        "filter.discipline": "filter_discipline",
        "filter.rank": "filter_rank",
    }

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request, without the students."""
        values = super().body()
        found: dict[str, Any] = {"award": values["award"] == "true"}
        found |= {name: values[name] for name in ("as_of", "rank_system", "target_ranks") if values.get(name)}
        return found

    def filter(self) -> dict[str, Any]:
        """Return the criteria that select the students."""
        names = {"class": "filter_class", "discipline": "filter_discipline", "rank": "filter_rank"}
        return {name: self.cleaned_data[field] for name, field in names.items() if self.cleaned_data[field]}


class NewBatch(Page):
    """A new batch for students that were chosen on the board, or for all that a filter selects."""

    template_name = "desk/promotions/batches/new.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        picks = read_picks(self.request.GET.getlist("pick"))
        initial = {
            "award": "true",
            "rank_system": self.query("rank_system"),
            "target_ranks": [self.query("target_rank")],
            "filter_class": self.query("class"),
        }
        return {"form": BatchForm(self, picks=picks, initial=initial), "picks": picks, "belts": belts()}

    def submit(self) -> HttpResponseBase:
        picks = read_picks(self.request.POST.getlist("pick"))
        form = BatchForm(self, self.request.POST, picks=picks)
        if not form.is_valid():
            return self.render({"form": form, "picks": picks, "belts": belts()}, status=400)
        body = form.body()
        if picks:
            body["students"] = sorted({str(one.student.pk) for one in picks})
            body["target_ranks"] = sorted({str(one.rank.pk) for one in picks})
        else:
            body["filter"] = form.filter()
        try:
            batch = self.send("POST", "promotion-batches", body)
        except Refused as error:
            form.add_refusal(error)
            return self.render({"form": form, "picks": picks, "belts": belts()}, status=error.status)
        return self.redirect("desk:batch", id=batch["id"])


class Batch(Page):
    """A batch: its progress, which follows by itself, and the result of each student."""

    template_name = "desk/promotions/batches/batch.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        batch = shown_batch(self.ask("promotion-batch", id=self.kwargs["id"]))
        state = self.query("state") if self.query("state") in STATES else ""
        found = self.ask_page(
            "promotion-batch-results", page_size=PAGE_SIZE, query={"state": state}, id=self.kwargs["id"]
        )
        for one in found.rows:
            one["state_name"] = STATES[one["state"]]
        return {
            "batch": batch,
            "results": found.rows,
            "state": state,
            "belts": belts(),
            **found.place,
        }


class BatchProgress(Page):
    """The progress of a batch as a part of its page: 204 while nothing has changed."""

    template_name = "desk/promotions/batches/progress.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        batch = shown_batch(self.ask("promotion-batch", id=self.kwargs["id"]))
        if batch["seen"] == self.query("seen"):
            return HttpResponse(status=204)
        if not batch["is_unfinished"]:
            return self.redirect("desk:batch", id=self.kwargs["id"])
        return self.render({"batch": batch})


class CancelBatch(Page):
    """Ask, then cancel the students of a batch who are not processed yet."""

    template_name = "desk/promotions/batches/cancel.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return {"batch": shown_batch(self.ask("promotion-batch", id=self.kwargs["id"]))}

    def submit(self) -> HttpResponseBase:
        self.send("POST", "promotion-batch-cancel", id=self.kwargs["id"])
        return self.redirect(
            "desk:batch", gettext("The batch is cancelled. Ranks that it awarded stand."), **self.kwargs
        )


class RevertBatch(Page):
    """Ask for a reason, then void all ranks that a batch awarded."""

    template_name = "desk/promotions/batches/revert.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(RevertForm())

    def shown(self, form: RevertForm, error: Refused | None = None) -> dict[str, Any]:
        """Return what the page shows. Ranks that stand on those of the batch are named after a refusal."""
        batch = shown_batch(self.ask("promotion-batch", id=self.kwargs["id"]))
        return {"form": form, "batch": batch, "later": later_ranks(error), "belts": belts()}

    def submit(self) -> HttpResponseBase:
        form = RevertForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            self.send("POST", "promotion-batch-revert", form.body(), id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form, error), status=error.status)
        return self.redirect(
            "desk:batch", gettext("The batch is reverted. Its ranks are voided."), **self.kwargs
        )
