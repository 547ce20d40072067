"""Exams: the list, a new one, changing and deleting it, and the page beside the mat."""

from datetime import date
from typing import Any, Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.board.put_on_exam import invite, invited_text
from tenant_apps.desk.promotions.choices import named_choices, rank_systems, unchanged
from tenant_apps.desk.promotions.exams.forms import ExamForm, ResultForm
from tenant_apps.desk.promotions.exams.queries import exam_rules, outcome_counts
from tenant_apps.desk.promotions.picks import read_picks

PAGE_SIZE: Final = 50


class Exams(Page):
    """The exams, the latest first."""

    template_name = "desk/promotions/exams/list.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        systems = rank_systems(self)
        wanted = (
            self.query("rank_system") if self.query("rank_system") in {one["id"] for one in systems} else ""
        )
        found = self.ask_page("exams", page_size=PAGE_SIZE, query={"rank_system": wanted})
        return {
            "exams": found.rows,
            "systems": named_choices(systems, unchanged()),
            "wanted": wanted,
            "has_systems": bool(systems),
            **found.place,
        }


class NewExam(Page):
    """A new exam; students who were chosen on the board are invited to it."""

    template_name = "desk/promotions/exams/form.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        picks = read_picks(self.request.GET.getlist("pick"))
        form = ExamForm(self, initial={"rank_system": self.query("rank_system"), "date": self.today})
        return {"form": form, "picks": picks, "belts": belts()}

    def submit(self) -> HttpResponseBase:
        picks = read_picks(self.request.POST.getlist("pick"))
        form = ExamForm(self, self.request.POST)
        shown = {"form": form, "picks": picks, "belts": belts()}
        if not form.is_valid():
            return self.render(shown, status=400)
        try:
            exam = self.send("POST", "exams", form.body())
        except Refused as error:
            form.add_refusal(error)
            return self.render(shown, status=error.status)
        if not picks:
            return self.redirect(
                "desk:exam", gettext("The exam is saved. Invite candidates next."), id=exam["id"]
            )
        try:
            invite(self, exam["id"], picks)
        except Refused as error:
            self.say(error.sentence, "error")
            return self.redirect("desk:exam", id=exam["id"])
        return self.redirect("desk:exam", invited_text(len(picks)), id=exam["id"])


class ChangeExam(Page):
    """Change an exam that is not finished."""

    template_name = "desk/promotions/exams/form.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        exam = self.ask("exam", id=self.kwargs["id"])
        return {"form": ExamForm(self, exam=exam), "exam": exam}

    def submit(self) -> HttpResponseBase:
        exam = self.ask("exam", id=self.kwargs["id"])
        form = ExamForm(self, self.request.POST, exam=exam)
        if not form.is_valid():
            return self.render({"form": form, "exam": exam}, status=400)
        try:
            self.send("PATCH", "exam", form.body(), id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render({"form": form, "exam": exam}, status=error.status)
        return self.redirect("desk:exam", gettext("The exam is changed."), **self.kwargs)


class DeleteExam(Page):
    """Ask, then delete an exam that was never finished."""

    template_name = "desk/promotions/exams/delete.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return {"exam": self.ask("exam", id=self.kwargs["id"]), "counts": outcome_counts(self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", "exam", id=self.kwargs["id"])
        return self.redirect("desk:exams", gettext("The exam is deleted."))


class Exam(Page):
    """An exam with its candidates. Beside the mat, each result is saved as it is entered."""

    template_name = "desk/promotions/exams/exam.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        exam = self.ask("exam", id=self.kwargs["id"])
        found = self.ask_page("exam-candidates", page_size=PAGE_SIZE, exam_id=self.kwargs["id"])
        is_marked = exam["status"] == "open" and self.may("exam-results", "POST")
        rules = exam_rules(exam["rank_system"]["id"], date.fromisoformat(exam["date"])) if is_marked else {}
        return {
            "exam": exam,
            "rows": [
                (one, ResultForm(one, rules[one["target_rank"]["id"]]) if is_marked else None)
                for one in found.rows
            ],
            "counts": outcome_counts(self.kwargs["id"]),
            "belts": belts(),
            "is_held": exam["date"] <= self.today.isoformat(),
            **found.place,
        }
