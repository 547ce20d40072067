"""Pages that change what is recorded about a student: notes, breaks, facts, ranks."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy

from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.students.records.forms import (
    AwardForm,
    FactForm,
    HoldForm,
    NoteForm,
    RankForm,
    RankVoidForm,
    ReasonForm,
)
from tenant_apps.desk.students.records.record_page import RecordPage
from tenant_apps.desk.templatetags.desk_students import FACT_KINDS

LARGEST_PAGE: Final = 200


def rank_systems(page: RecordPage) -> list[Mapping[str, Any]]:
    """Return the rank systems with their ranks."""
    found: list[Mapping[str, Any]] = page.ask("rank-systems", query={"page_size": LARGEST_PAGE})["results"]
    return found


# --- notes --------------------------------------------------------------------------------------------------------


class NewNote(RecordPage):
    title = gettext_lazy("New note")
    question = gettext_lazy("Only staff read it.")
    action = gettext_lazy("Save")
    done = gettext_lazy("The note is saved.")
    form_class = NoteForm
    sends = ("POST", "student-notes", "student_id")


class EditNote(RecordPage):
    title = gettext_lazy("Change the note")
    action = gettext_lazy("Save")
    done = gettext_lazy("The note is saved.")
    form_class = NoteForm
    sends = ("PATCH", "student-note", "student_id", "id")
    delete_route = "desk:student-note-delete"

    def initial(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.ask("student-note", student_id=self.student_id, id=self.record_id)
        return found


class DeleteNote(RecordPage):
    title = gettext_lazy("Delete the note?")
    question = gettext_lazy("It cannot be restored.")
    action = gettext_lazy("Delete")
    done = gettext_lazy("The note is deleted.")
    is_destructive = True
    sends = ("DELETE", "student-note", "student_id", "id")


# --- breaks -------------------------------------------------------------------------------------------------------


class NewHold(RecordPage):
    title = gettext_lazy("New break")
    question = gettext_lazy("During a break the student is on hold: not expected, and not due for promotion.")
    action = gettext_lazy("Save")
    done = gettext_lazy("The break is saved.")
    form_class = HoldForm
    sends = ("POST", "student-holds", "student_id")

    def initial(self) -> Mapping[str, Any]:
        return {"first_day": self.today}


class EditHold(RecordPage):
    title = gettext_lazy("Change the break")
    question = gettext_lazy("Set the last day to end it.")
    action = gettext_lazy("Save")
    done = gettext_lazy("The break is saved.")
    form_class = HoldForm
    sends = ("PATCH", "student-hold", "student_id", "id")
    delete_route = "desk:student-hold-delete"

    def initial(self) -> Mapping[str, Any]:
        found = self.ask("student-hold", student_id=self.student_id, id=self.record_id)
        return {**found, "first_day": found["from"]}


class DeleteHold(RecordPage):
    title = gettext_lazy("Delete the break?")
    question = gettext_lazy("Do this only if it was entered by mistake. To end it, set its last day.")
    action = gettext_lazy("Delete")
    done = gettext_lazy("The break is deleted.")
    is_destructive = True
    sends = ("DELETE", "student-hold", "student_id", "id")


# --- facts --------------------------------------------------------------------------------------------------------


class NewFact(RecordPage):
    """A fact: the address says of which kind."""

    title = gettext_lazy("New fact")
    action = gettext_lazy("Save")
    done = gettext_lazy("The fact is saved.")
    form_class = FactForm
    sends = ("POST", "student-facts", "student_id")

    @property
    def kind(self) -> str:
        """The kind in the address, or the first one."""
        kind = self.query("kind")
        return kind if kind in FACT_KINDS else next(iter(FACT_KINDS))

    def initial(self) -> Mapping[str, Any]:
        return {"on": self.today}

    def form_options(self) -> Mapping[str, Any]:
        return {"kind": self.kind, "systems": rank_systems(self)}

    def shown(self, form: ApiForm) -> dict[str, Any]:
        return {**super().shown(form), "kinds": list(FACT_KINDS)}


class VoidFact(RecordPage):
    title = gettext_lazy("Take the fact back?")
    question = gettext_lazy("It stays in the history and no longer counts for promotion.")
    action = gettext_lazy("Take back")
    done = gettext_lazy("The fact no longer counts.")
    form_class = ReasonForm
    is_destructive = True
    sends = ("POST", "fact-void", "id")


# --- ranks --------------------------------------------------------------------------------------------------------


class NewRank(RecordPage):
    title = gettext_lazy("Record a rank")
    question = gettext_lazy(
        "This is for ranks that were not awarded here. To award one, use “Award” beside the progress."
    )
    action = gettext_lazy("Save")
    done = gettext_lazy("The rank is recorded.")
    form_class = RankForm
    sends = ("POST", "student-rank-events", "student_id")

    def initial(self) -> Mapping[str, Any]:
        return {"effective_on": self.today}

    def form_options(self) -> Mapping[str, Any]:
        return {"systems": rank_systems(self)}


class VoidRank(RecordPage):
    title = gettext_lazy("Take the rank back?")
    question = gettext_lazy("The entry stays in the history with your reason, and no longer counts.")
    action = gettext_lazy("Take back")
    done = gettext_lazy("The rank is taken back.")
    form_class = RankVoidForm
    is_destructive = True
    sends = ("POST", "rank-event-void", "id")


class Award(RecordPage):
    """Award a rank that is open to the student."""

    title = gettext_lazy("Award a rank")
    action = gettext_lazy("Award")
    done = gettext_lazy("The rank is awarded.")
    form_class = AwardForm

    def initial(self) -> Mapping[str, Any]:
        return {"effective_on": self.today}

    def shown(self, form: ApiForm) -> dict[str, Any]:
        ranks = (rank for system in rank_systems(self) for rank in system["ranks"])
        rank = next((rank["name"] for rank in ranks if rank["id"] == str(self.kwargs["rank_id"])), "")
        return {**super().shown(form), "about": rank}

    def save(self, form: ApiForm) -> None:
        asked = {"student": str(self.student_id), "target_rank": str(self.kwargs["rank_id"])}
        self.send("POST", "promotions", {**asked, **form.body()})
