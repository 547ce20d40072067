"""Results of an exam as they are entered beside the mat, its end, and what comes after."""

from datetime import date
from http import HTTPStatus
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.exams.forms import FulfilmentForm, ResultForm
from tenant_apps.desk.promotions.exams.queries import exam_rules, find_candidate, outcome_counts
from tenant_apps.desk.promotions.revert import RevertForm, later_ranks


class Result(Page):
    """Save the result of one candidate. htmx gets the state of the candidate, a plain form the page of the exam."""

    section = "promotions"

    def submit(self) -> HttpResponseBase:
        exam = self.ask("exam", id=self.kwargs["id"])
        candidate = find_candidate(self.kwargs["id"], self.kwargs["candidate"])
        rules = exam_rules(exam["rank_system"]["id"], date.fromisoformat(exam["date"]))
        form = ResultForm(candidate, rules[candidate["target_rank"]["id"]], self.request.POST)
        if not form.is_valid():
            return self.shown(exam, candidate, form, status=400)
        try:
            saved = self.send("POST", "exam-results", {"results": [form.body()]}, exam_id=exam["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.shown(exam, candidate, form, status=error.status)
        # A candidate who was erased meanwhile is not among them.
        candidate = next((one for one in saved["results"] if one["id"] == candidate["id"]), candidate)
        if not self.is_fragment:
            target = f"{reverse('desk:exam', kwargs={'id': exam['id']})}#candidate-{candidate['id']}"
            return self.redirect(target)
        return self.shown(exam, candidate, form)

    def shown(
        self, exam: dict[str, Any], candidate: dict[str, Any], form: ResultForm, status: int = 200
    ) -> HttpResponseBase:
        """Return the state of the candidate: saved, or what is wrong. A plain form gets its whole row."""
        shown = {
            "exam": exam,
            "candidate": candidate,
            "form": form,
            "is_saved": status == HTTPStatus.OK,
            "counts": outcome_counts(self.kwargs["id"]),
            "belts": belts(),
        }
        name = "state" if self.is_fragment else "one_result"
        return self.render(shown, template=f"desk/promotions/exams/{name}.html", status=status)


class Withdraw(Page):
    """Ask, then take a candidate off an exam."""

    template_name = "desk/promotions/exams/withdraw.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        exam = self.ask("exam", id=self.kwargs["id"])
        return {"exam": exam, "candidate": find_candidate(self.kwargs["id"], self.kwargs["candidate"])}

    def submit(self) -> HttpResponseBase:
        exam, candidate = self.kwargs["id"], self.kwargs["candidate"]
        self.send("DELETE", "exam-candidate", exam_id=exam, id=candidate)
        return self.redirect("desk:exam", gettext("The candidate is taken off the exam."), id=exam)


class Finish(Page):
    """Finish an exam: award all who passed, or no one. A refusal names each candidate and the reason."""

    template_name = "desk/promotions/exams/finish.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(None)

    def shown(self, error: Refused | None) -> dict[str, Any]:
        """Return the numbers of the exam, and after a refusal each candidate with what is wrong."""
        refused = (error.details or {}).get("candidates", []) if error else []
        return {
            "exam": self.ask("exam", id=self.kwargs["id"]),
            "counts": outcome_counts(self.kwargs["id"]),
            "error": error,
            "refused": refused,
            "belts": belts(),
        }

    def submit(self) -> HttpResponseBase:
        try:
            self.send("POST", "exam-finish", {}, exam_id=self.kwargs["id"])
        except Refused as error:
            return self.render(self.shown(error), status=error.status)
        return self.redirect(
            "desk:exam", gettext("The exam is finished, and the ranks are awarded."), **self.kwargs
        )


class Reopen(Page):
    """Ask for a reason, then void the awards of a finished exam, so that results can be changed."""

    template_name = "desk/promotions/exams/reopen.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(RevertForm())

    def shown(self, form: RevertForm, error: Refused | None = None) -> dict[str, Any]:
        """Return what the page shows. Ranks that stand on those of the exam are named after a refusal."""
        exam = self.ask("exam", id=self.kwargs["id"])
        counts = outcome_counts(self.kwargs["id"])
        return {"form": form, "exam": exam, "counts": counts, "later": later_ranks(error), "belts": belts()}

    def submit(self) -> HttpResponseBase:
        form = RevertForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            self.send("POST", "exam-reopening", form.body(), exam_id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form, error), status=error.status)
        return self.redirect(
            "desk:exam", gettext("The exam is open again, and its ranks are voided."), **self.kwargs
        )


class Fulfilment(Page):
    """Award the rank to a candidate who passed on a condition, as of the day on which it was met."""

    template_name = "desk/promotions/exams/fulfilment.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(FulfilmentForm())

    def shown(self, form: FulfilmentForm) -> dict[str, Any]:
        """Return what the page shows."""
        exam = self.ask("exam", id=self.kwargs["id"])
        candidate = find_candidate(self.kwargs["id"], self.kwargs["candidate"])
        return {"form": form, "exam": exam, "candidate": candidate, "belts": belts()}

    def submit(self) -> HttpResponseBase:
        exam, candidate = self.kwargs["id"], self.kwargs["candidate"]
        form = FulfilmentForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            self.send("POST", "exam-candidate-fulfilment", form.body(), exam_id=exam, id=candidate)
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form), status=error.status)
        return self.redirect("desk:exam", gettext("The rank is awarded."), id=exam)
