"""Invite candidates to an exam: all who are eligible on its day, or one student for one rank."""

from typing import Any, Final

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.board.put_on_exam import invited_text
from tenant_apps.desk.promotions.choices import offer, rank_choices
from tenant_apps.desk.promotions.exams.forms import EligibleForm

SHOWN: Final = 8


class OneForm(ApiForm):
    """The rank for which the student that a search found is invited."""

    target_rank = forms.ChoiceField(label=gettext_lazy("For the rank"))

    def __init__(self, system: dict[str, Any], data: Any = None) -> None:
        super().__init__(data)
        offer(self, target_rank=rank_choices([system], gettext("Choose a rank")))

    paths = {
        "candidates.0.target_rank": "target_rank",
    }


class Invite(Page):
    """The two ways to invite. A search finds the one student; who is found is chosen by a radio button."""

    template_name = "desk/promotions/exams/invite.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown()

    def shown(self, eligible: EligibleForm | None = None, one: OneForm | None = None) -> dict[str, Any]:
        """Return what the page shows; the form that was refused, with its errors."""
        exam = self.ask("exam", id=self.kwargs["id"])
        system = self.ask("rank-system", id=exam["rank_system"]["id"])
        return {
            "exam": exam,
            "tells": self.ask("settings")["notify_exam_invitation"],
            "eligible": eligible or EligibleForm(self, system),
            "one": one or OneForm(system),
            "search": self.query("search"),
            "found": found_students(self),
        }

    def submit(self) -> HttpResponseBase:
        exam = self.ask("exam", id=self.kwargs["id"])
        system = self.ask("rank-system", id=exam["rank_system"]["id"])
        if "target_rank" in self.request.POST:
            return self.invite_one(OneForm(system, self.request.POST))
        form = EligibleForm(self, system, self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(eligible=form), status=400)
        try:
            invited = self.send("POST", "exam-candidates", form.body(), exam_id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(eligible=form), status=error.status)
        return self.redirect("desk:exam", self.invited(len(invited["results"])), **self.kwargs)

    def invite_one(self, form: OneForm) -> HttpResponseBase:
        """Invite one student."""
        if not form.is_valid():
            return self.render(self.shown(one=form), status=400)
        student = self.request.POST.get("student", "")
        if not student:
            form.add_error(None, gettext("Search for a student, and choose them."))
            return self.render(self.shown(one=form), status=400)
        try:
            self.send(
                "POST",
                "exam-candidates",
                {"candidates": [{"student": student, **form.body()}]},
                exam_id=self.kwargs["id"],
            )
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(one=form), status=error.status)
        return self.redirect("desk:exam", self.invited(1), **self.kwargs)

    def invited(self, number: int) -> str:
        """Return what is said after an invitation by a filter."""
        return invited_text(number) if number else gettext("No one else is eligible on that day.")


class InviteSearch(Page):
    """The students that a search finds, as a part of the page that invites."""

    template_name = "desk/promotions/exams/found.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        self.ask("exam", id=self.kwargs["id"])
        return {"found": found_students(self), "search": self.query("search")}


def found_students(page: Page) -> list[dict[str, Any]]:
    """Return the students that the search in the address finds; none without a search."""
    if not page.query("search").strip():
        return []
    query = {"search": page.query("search"), "page_size": SHOWN}
    found: list[dict[str, Any]] = page.ask("students", query=query)["results"]
    return found
