"""Put the students that were chosen on the board on an exam."""

from collections.abc import Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.picks import Pick, checked, read_picks


class PutOnExam(Page):
    """Invite the chosen students to an exam that is not finished, each for the rank they were chosen with."""

    template_name = "desk/promotions/board/put_on_exam.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(checked(self, read_picks(self.request.GET.getlist("pick"))))

    def shown(self, picks: Sequence[Pick], error: Refused | None = None) -> dict[str, Any]:
        """Return what the page shows: the students, and the exams of their rank system."""
        systems = {pick.rank.system_id: pick.rank.system for pick in picks}
        system = next(iter(systems.values())) if len(systems) == 1 else None
        query = {"finished": False, "rank_system": system.pk if system else None, "ordering": "date"}
        exams = self.ask("exams", query={**query, "page_size": 50})["results"] if system else []
        names = {str(pick.student.pk): pick.student.name for pick in picks}
        twice = (error.details or {}).get("students", []) if error else []
        return {
            "picks": picks,
            "system": system,
            "systems": systems.values(),
            "exams": exams,
            "belts": belts(),
            "error": error,
            "named": [names[one] for one in twice if one in names],
            "back": self.local_target(self.query("back"), reverse("desk:promotions")),
        }

    def submit(self) -> HttpResponseBase:
        picks = read_picks(self.request.POST.getlist("pick"))
        exam = self.request.POST.get("exam", "")
        offered = {one["id"] for one in self.shown(picks)["exams"]}
        if exam not in offered:
            error = Refused(400, {"error": {"message": gettext("Choose an exam.")}})
            return self.render(self.shown(picks, error), status=error.status)
        try:
            invite(self, exam, picks)
        except Refused as error:
            return self.render(self.shown(picks, error), status=error.status)
        return self.redirect("desk:exam", invited_text(len(picks)), id=exam)


def invite(page: Page, exam: str, picks: Sequence[Pick]) -> None:
    """Make students candidates of an exam. Raises `Refused`."""
    candidates = [{"student": str(one.student.pk), "target_rank": str(one.rank.pk)} for one in picks]
    page.send("POST", "exam-candidates", {"candidates": candidates}, exam_id=exam)


def invited_text(number: int) -> str:
    """Return what is said after students were invited."""
    return ngettext("{number} student was invited.", "{number} students were invited.", number).format(
        number=number
    )
