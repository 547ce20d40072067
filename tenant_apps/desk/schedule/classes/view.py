"""The classes: their list, one with its times and enrolments, and the form that adds or changes one."""

from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule import choices, queries
from tenant_apps.desk.schedule.classes.forms import (
    MOST_MORE_TIMES,
    ClassForm,
    ClassForms,
    TimesForm,
    initial_of,
    times_initial,
)
from tenant_apps.desk.schedule.held_ranks import held_ranks
from tenant_apps.desk.schedule.times import rhythm_in_words, times_in_words

PAGE_SIZE: Final = 50
ENROLLED_SHOWN: Final = 100
COMING_SHOWN: Final = 6
FOUND_SHOWN: Final = 8
SHORTEST_SEARCH: Final = 2
NEW_TIME: Final = {"duration_minutes": 60}


class Classes(Page):
    """The list of classes. `?archived=true` lists those that ended."""

    template_name = "desk/schedule/classes/list.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        is_archived = self.query("archived") == "true"
        query = {"search": self.query("search"), "archived": is_archived, "ordering": "name"}
        found = self.ask_page("classes", page_size=PAGE_SIZE, query=query)
        return {
            "classes": [(one, times_in_words(one["recurrence"])) for one in found.rows],
            "count": found.count,
            **found.place,
            "search": self.query("search"),
            "is_archived": is_archived,
        }


class ClassPage(Page):
    """One class: its times, its next sessions, and who is enrolled."""

    template_name = "desk/schedule/classes/class.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        return self.of_class(self.kwargs["id"])

    def of_class(self, key: UUID) -> dict[str, Any]:
        """Return what the page shows of a class."""
        found = self.ask("class", id=key)
        coming = self.ask(
            "class-sessions", query={"class": key, "from": self.today, "page_size": COMING_SHOWN}
        )
        enrolments = self.ask_page("class-enrolments", page_size=ENROLLED_SHOWN, class_id=key)
        held = held_ranks([one["student"]["id"] for one in enrolments.rows], as_of=self.today)
        return {
            "found_class": found,
            "times": times_in_words(found["recurrence"]),
            "rhythm": rhythm_in_words(found["recurrence"]),
            "coming": coming["results"],
            "enrolments": [(one, held.get(one["student"]["id"], [])) for one in enrolments.rows],
            "enrolled_count": enrolments.count,
            **enrolments.place,
            **self.found_students(key),
        }

    def found_students(self, key: UUID) -> dict[str, Any]:
        """Return the students that the search finds, and which of them are enrolled."""
        text = self.query("search").strip()
        if len(text) < SHORTEST_SEARCH:
            return {"search": text, "found": None}
        found = self.ask("students", query={"search": text, "page_size": FOUND_SHOWN, "ordering": "name"})
        enrolled = queries.enrolled_among(key, [UUID(one["id"]) for one in found["results"]])
        return {"search": text, "found": [(one, one["id"] in enrolled) for one in found["results"]]}


class ClassFormPage(Page):
    """Add a class, or change one. `?more=2` asks for the fields of one more start time, the third."""

    template_name = "desk/schedule/classes/form.html"
    section = "schedule"

    @property
    def key(self) -> UUID | None:
        """The id of the class that is changed."""
        key: UUID | None = self.kwargs.get("id")
        return key

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        asked = self.query_number("more", -1)
        if self.is_fragment and asked >= 0:
            number = min(asked, MOST_MORE_TIMES)
            row = TimesForm(prefix=f"more-{number}", initial=NEW_TIME)
            return self.render(
                {"row": row, "next": number + 1}, template="desk/schedule/classes/more_times.html"
            )
        return super().get()

    def context(self) -> dict[str, Any]:
        if self.key is None:
            initial = {
                "duration_minutes": 60,
                "starts_on": self.today,
                "every_weeks": 1,
                "counts_toward_promotion": True,
            }
            return self.show(ClassForms(self.form(None, initial), []))
        found = self.ask("class", id=self.key)
        more = found["recurrence"].get("more_times", [])
        rows = [
            TimesForm(prefix=f"more-{place}", initial=times_initial(one)) for place, one in enumerate(more)
        ]
        return self.show(ClassForms(self.form(found), rows), found)

    def form(
        self, found: dict[str, Any] | None, initial: dict[str, Any] | None = None, data: Any = None
    ) -> ClassForm:
        """Return the form with the choices of the dojo, and the values of a class."""
        current = found or {"instructors": [], "discipline": None, "min_rank": None}
        return ClassForm(
            data,
            initial=initial_of(found, self.today) if found else initial,
            instructors=choices.with_current(queries.instructors(), current["instructors"]),
            disciplines=choices.with_current(choices.disciplines(self), [current["discipline"]]),
            ranks=choices.with_current(choices.ranks(self), [current["min_rank"]]),
            settings=self.ask("settings"),
            is_new=self.key is None,
        )

    def show(self, forms: ClassForms, found: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the page shows."""
        return {
            "form": forms.form,
            "more": forms.more,
            "next": len(forms.more),
            "found_class": found,
            "places": queries.places(),
        }

    def entered(self, found: dict[str, Any] | None) -> ClassForms:
        """Return the forms as they were sent, with a row for each additional time in them."""
        data = self.request.POST
        before = found["recurrence"].get("more_times", []) if found else []
        rows = [
            TimesForm(data, prefix=f"more-{place}")
            for place in range(MOST_MORE_TIMES + 1)
            if f"more-{place}-start_time" in data
        ]
        return ClassForms(self.form(found, data=data), rows, before=before)

    def submit(self) -> HttpResponseBase:
        found = self.ask("class", id=self.key) if self.key else None
        forms = self.entered(found)
        if "add_time" in self.request.POST:
            forms.more.append(TimesForm(prefix=f"more-{len(forms.more)}", initial=NEW_TIME))
            return self.render(self.show(forms, found))
        if not forms.is_valid():
            return self.render(self.show(forms, found), status=400)
        body = forms.body(is_new=self.key is None)
        try:
            if self.key is None:
                saved = self.send("POST", "classes", body)
            else:
                saved = self.send("PATCH", "class", body, id=self.key)
        except Refused as error:
            forms.add_refusal(error)
            return self.render(self.show(forms, found), status=error.status)
        message = (
            gettext("The class is changed.")
            if self.key
            else gettext("The class is added. Now enrol its students.")
        )
        return self.redirect("desk:class", message, id=saved["id"])


class ArchiveClass(Page):
    """Ask, then archive the class: its coming sessions go. With `restore` it comes back."""

    template_name = "desk/schedule/classes/archive.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        return {"found_class": self.ask("class", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        key = self.kwargs["id"]
        if "restore" in self.request.POST:
            self.send("PATCH", "class", {"archived": False}, id=key)
            return self.redirect("desk:class", gettext("The class takes place again."), id=key)
        self.send("DELETE", "class", id=key)
        return self.redirect(
            "desk:classes", gettext("The class is archived. It is in the list of archived classes.")
        )
