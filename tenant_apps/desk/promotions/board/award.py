"""Award ranks to the students that were chosen on the board: each is decided by itself, as the API does."""

from collections.abc import Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.forms import ApiForm, DateField
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.picks import Pick, checked, read_picks


class AwardForm(ApiForm):
    effective_on = DateField(
        label=gettext_lazy("Date of the award"), help_text=gettext_lazy("The rules decide as of this day.")
    )


def reason_field(pick: Pick) -> str:
    """Return the name of the field with the reason to promote a student against the rules."""
    return f"reason:{pick.key}"


class Award(Page):
    """GET shows how the chosen students stand on a day; POST awards, and shows again who was refused, and why."""

    template_name = "desk/promotions/board/award.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        form = AwardForm(initial={"effective_on": self.today})
        return self.shown(form, checked(self, read_picks(self.request.GET.getlist("pick"))))

    def shown(
        self, form: AwardForm, picks: Sequence[Pick], errors: dict[str, Refused] | None = None
    ) -> dict[str, Any]:
        """Return what the page shows: each pick with its reason and its refusal."""
        posted = self.request.POST
        back = posted.get("back") or self.query("back")
        return {
            "form": form,
            "rows": [
                (pick, reason_field(pick), posted.get(reason_field(pick), ""), (errors or {}).get(pick.key))
                for pick in picks
            ],
            "belts": belts(),
            "back": self.local_target(back, reverse("desk:promotions")),
        }

    def submit(self) -> HttpResponseBase:
        picks = read_picks(self.request.POST.getlist("pick"))
        form = AwardForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form, picks), status=400)
        effective_on = form.body()["effective_on"]
        errors: dict[str, Refused] = {}
        for pick in picks:
            try:
                self.award(pick, effective_on)
            except Refused as error:
                errors[pick.key] = error
                if "effective_on" in error.fields:  # what is wrong with the date is wrong for all
                    form.add_refusal(error)
                    return self.render(self.shown(form, checked(self, picks)), status=error.status)
        number = len(picks) - len(errors)
        if number:
            text = ngettext("{number} rank was awarded.", "{number} ranks were awarded.", number)
            self.say(text.format(number=number))
        if not errors:
            target = self.local_target(self.request.POST.get("back", ""), reverse("desk:promotions"))
            return self.redirect(target, "" if picks else gettext("No student was chosen."))
        refused = [pick for pick in picks if pick.key in errors]
        left = checked(self, refused, effective_on)
        return self.render(self.shown(form, left, errors), status=max(one.status for one in errors.values()))

    def award(self, pick: Pick, effective_on: str) -> None:
        """Award one rank. Raises `Refused`."""
        body = {"student": str(pick.student.pk), "target_rank": str(pick.rank.pk)}
        reason = self.request.POST.get(reason_field(pick), "").strip()
        optional = {"override_reason": reason} if reason else {}
        self.send("POST", "promotions", {**body, "effective_on": effective_on, **optional})
