"""Rank systems and disciplines: lists, a new system from a preset, the page of a system, and its form."""

from typing import Any, Final

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.belts import belts
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.choices import discipline_choices, rank_systems
from tenant_apps.desk.promotions.rank_systems.forms import MOST_FIELDS, RulesForm, SystemForm
from tenant_apps.desk.promotions.rank_systems.queries import versions
from tenant_apps.desk.promotions.rank_systems.shown_rules import CONFIDENCES, definition_belts, shown_ranks
from tenant_apps.ranks.presets import presets

SHOWN_BELTS: Final = 12


def no_discipline() -> str:
    """Return the label of the choice that is no discipline."""
    return gettext("None: training of all disciplines counts")


class RankSystems(Page):
    """The rank systems with their belts; archived ones below."""

    template_name = "desk/promotions/rank_systems/list.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        archived = self.ask("rank-systems", query={"archived": True, "page_size": 200})["results"]
        return {
            "systems": rank_systems(self),
            "archived": archived,
            "belts": belts(),
            "shown_belts": SHOWN_BELTS,
        }


class NewRankSystem(Page):
    """Choose a preset: each says where its rules were read, and how sure that is."""

    template_name = "desk/promotions/rank_systems/new.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown()

    def shown(self, error: Refused | None = None) -> dict[str, Any]:
        """Return the presets with their belts."""
        known = presets()
        found = [
            {
                **one,
                "confidence_name": CONFIDENCES[one["confidence"]],
                "belts": [belt for belt in definition_belts(known[one["key"]]) if belt],
                "number": len(known[one["key"]].ranks),
            }
            for one in self.ask("rank-system-presets")
        ]
        return {
            "presets": found,
            "disciplines": discipline_choices(self, no_discipline()),
            "discipline": self.request.POST.get("discipline", ""),
            "error": error,
        }

    def submit(self) -> HttpResponseBase:
        posted = self.request.POST
        discipline = {"discipline": posted["discipline"]} if posted.get("discipline") else {}
        try:
            system = self.send("POST", "rank-systems", {"preset": posted.get("preset", ""), **discipline})
        except Refused as error:
            return self.render(self.shown(error), status=error.status)
        message = gettext(
            "The rank system is ready. Read its rules, and change what your dojo does otherwise."
        )
        return self.redirect("desk:rank-system", message, id=system["id"])


class RankSystem(Page):
    """A rank system: its ranks as belts, the steps and criteria as sentences, its versions, name and discipline."""

    template_name = "desk/promotions/rank_systems/system.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown()

    def shown(self, form: SystemForm | None = None) -> dict[str, Any]:
        """Return the system in one version of its rules, by default the latest."""
        system = self.ask("rank-system", id=self.kwargs["id"])
        rules = self.ask("rank-system-rules", query={"version": self.query("version")}, id=self.kwargs["id"])
        discipline = system["discipline"]["id"] if system["discipline"] else ""
        initial = {"name": system["name"], "discipline": discipline}
        saved = versions(self.kwargs["id"], self.today)
        return {
            "system": system,
            "rules": rules,
            "confidence_name": CONFIDENCES[rules["confidence"]],
            "ranks": shown_ranks(rules),
            "versions": saved,
            "shown": next(one for one in saved if one.version == rules["version"]),
            "is_latest": rules["version"] == saved[0].version,
            "form": form or SystemForm(discipline_choices(self, no_discipline()), initial=initial),
        }

    def submit(self) -> HttpResponseBase:
        form = SystemForm(discipline_choices(self, no_discipline()), self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            self.send("PATCH", "rank-system", form.body(), id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form), status=error.status)
        return self.redirect("desk:rank-system", gettext("The rank system is changed."), **self.kwargs)


class ChangeRules(Page):
    """The rules as a form: names, colours, ages and numbers. Saving makes the next version."""

    template_name = "desk/promotions/rank_systems/change.html"
    section = "promotions"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        context = self.context()
        if len(context["form"].fields) > MOST_FIELDS:
            message = gettext("These rules are too long for the form. Change them as text.")
            return self.redirect("desk:rank-system-text", message, **self.kwargs)
        return self.render(context)

    def context(self) -> dict[str, Any]:
        return self.shown(RulesForm(self.ask("rank-system-rules", id=self.kwargs["id"])))

    def shown(self, form: RulesForm) -> dict[str, Any]:
        """Return what the page shows."""
        return {"form": form, "system": self.ask("rank-system", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        read = {"version": self.request.POST.get("version")}
        form = RulesForm(self.ask("rank-system-rules", query=read, id=self.kwargs["id"]), self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            saved = self.send("PUT", "rank-system-rules", form.body(), id=self.kwargs["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form), status=error.status)
        message = gettext("Version {version} is saved.").format(version=saved["version"])
        return self.redirect("desk:rank-system", message, **self.kwargs)


class ArchiveRankSystem(Page):
    """Ask, then archive a rank system; the same address restores an archived one."""

    template_name = "desk/promotions/rank_systems/archive.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return {"system": self.ask("rank-system", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        if self.request.POST.get("restore"):
            self.send("PATCH", "rank-system", {"archived": False}, id=self.kwargs["id"])
            return self.redirect("desk:rank-systems", gettext("The rank system is in use again."))
        self.send("DELETE", "rank-system", id=self.kwargs["id"])
        return self.redirect(
            "desk:rank-systems", gettext("The rank system is archived. Ranks that are held stay.")
        )


class NameForm(ApiForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)


class Disciplines(Page):
    """The disciplines: add one, rename, archive and restore."""

    template_name = "desk/promotions/rank_systems/disciplines.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return self.shown(NameForm())

    def shown(self, form: NameForm) -> dict[str, Any]:
        """Return the disciplines in use and the archived ones."""
        found = self.ask("disciplines", query={"page_size": 200})["results"]
        archived = self.ask("disciplines", query={"page_size": 200, "archived": True})["results"]
        return {"form": form, "disciplines": found, "archived": archived}

    def submit(self) -> HttpResponseBase:
        form = NameForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        try:
            self.send("POST", "disciplines", form.body())
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form), status=error.status)
        return self.redirect("desk:disciplines", gettext("The discipline is added."))


class Discipline(Page):
    """Rename, archive or restore one discipline."""

    template_name = "desk/promotions/rank_systems/discipline.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        found = self.ask("discipline", id=self.kwargs["id"])
        return {"discipline": found, "form": NameForm(initial={"name": found["name"]})}

    def submit(self) -> HttpResponseBase:
        action = self.request.POST.get("action", "")
        if action == "archive":
            self.send("DELETE", "discipline", id=self.kwargs["id"])
            return self.redirect("desk:disciplines", gettext("The discipline is archived."))
        form = NameForm(self.request.POST)
        found = self.ask("discipline", id=self.kwargs["id"])
        if action != "restore" and not form.is_valid():
            return self.render({"discipline": found, "form": form}, status=400)
        body = {"archived": False} if action == "restore" else form.body()
        try:
            self.send("PATCH", "discipline", body, id=self.kwargs["id"])
        except Refused as error:
            if form.is_bound and form.is_valid():
                form.add_refusal(error)
            return self.render({"discipline": found, "form": form}, status=error.status)
        return self.redirect("desk:disciplines", gettext("The discipline is changed."))
