"""The promotions board: who is due, who is not yet and what they lack, and whose facts are missing.

It shows the snapshot of last night's check, a page at a time. Only the students of the page are checked again, for the
sentences, and to show who has changed since.
"""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.belts import belts
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.choices import (
    class_choices,
    named_choices,
    offer,
    rank_choices,
    rank_systems,
    unchanged,
)
from tenant_apps.desk.promotions.picks import check_results, missing_sentences

PAGE_SIZE: Final = 25

TABS: Final = {
    "due": ("eligible", gettext_lazy("Due now"), "student"),
    "nearly": ("not_eligible", gettext_lazy("Not yet"), "earliest_on"),
    "unknown": ("unknown", gettext_lazy("Unknown"), "student"),
}
"""Name of a tab → status in the snapshot, label, order."""


@dataclass(frozen=True, slots=True)
class Row:
    """A student on the board. `result` is how they stand now; `None` if they have changed since last night."""

    seen: dict[str, Any]
    result: dict[str, Any] | None

    @property
    def key(self) -> str:
        """The text that names the student and the rank in the form."""
        return f"{self.seen['student']['id']}:{self.seen['target_rank']['id']}"

    @property
    def has_changed(self) -> bool:
        """Whether the student stands otherwise than last night."""
        return self.result is None or self.result["status"] != self.seen["status"]

    @property
    def missing(self) -> list[str]:
        """Sentences that say what is not met, or not known."""
        return missing_sentences(self.result) if self.result else []


class BoardFilters(ApiForm):
    """The filters of the board. Their names are those of the snapshot's query parameters."""

    rank_system = forms.ChoiceField(label=gettext_lazy("Rank system"), required=False)
    target_rank = forms.ChoiceField(label=gettext_lazy("Next rank"), required=False)

    def __init__(self, page: Page, systems: list[dict[str, Any]]) -> None:
        super().__init__(page.request.GET)
        self.fields["class"] = forms.ChoiceField(
            label=gettext("Class"), required=False, choices=class_choices(page, unchanged())
        )
        offer(self, rank_system=named_choices(systems, unchanged()))
        wanted = [one for one in systems if one["id"] == page.query("rank_system")] or systems
        offer(self, target_rank=rank_choices(wanted, unchanged()))
        for field in self.fields.values():
            field.widget.attrs["data-submit-on-change"] = ""
        self.is_valid()  # a filter that no choice has is left out

    @property
    def query(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name, value in self.cleaned_data.items() if value}


class Board(Page):
    """Who can be promoted. Students are chosen here and then awarded, put on an exam, or given to a batch."""

    template_name = "desk/promotions/board/board.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        tab = self.query("tab") if self.query("tab") in TABS else "due"
        systems = rank_systems(self)
        filters = BoardFilters(self, systems)
        status, _, order = TABS[tab]
        query = {**filters.query, "status": status, "ordering": order}
        found = self.ask_page("promotion-snapshot", page_size=PAGE_SIZE, query=query)
        seen = found.rows
        results = check_results(self, {one["student"]["id"] for one in seen}) if seen else {}
        rows = [Row(one, results.get(f"{one['student']['id']}:{one['target_rank']['id']}")) for one in seen]
        return {
            "tab": tab,
            "tabs": self.tabs(tab, found.count, filters),
            "filters": filters,
            "systems": systems,
            "rows": rows,
            "count": found.count,
            "as_of": seen[0]["as_of"] if seen else None,
            "belts": belts(),
            **found.place,
        }

    def tabs(self, current: str, count: int, filters: BoardFilters) -> list[tuple[str, Any, int]]:
        """Return name, label and number of students of each tab. Two statements for each of the others."""
        found = []
        for name, (status, label, _) in TABS.items():
            if name != current:
                query = {**filters.query, "status": status, "page_size": 1}
                number = self.ask("promotion-snapshot", query=query)["count"]
            found.append((name, label, count if name == current else number))
        return found
