"""The page of a session with its roster: see who is expected, mark who comes, add visitors."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from tatami.errors import Invalid
from tenant_apps.attendance.roster import ABSENT, EXPECTED, LATE, PRESENT
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule import queries
from tenant_apps.desk.schedule.roster.roster import Roster, RosterRow, build_roster

SHOWN: Final = 8
"""So many students are found by a search."""
SHORTEST_SEARCH: Final = 2


class RosterPage(Page):
    """What the page of a session and the answers to taps on it have in common."""

    section = "schedule"

    def of_session(self, session: dict[str, Any]) -> dict[str, Any]:
        """Return what the page shows of a session that the API has returned."""
        planned = queries.planned_time(session["id"])
        roster = build_roster(session, today=self.today, now=self.now)
        return {"session": session, "roster": roster, "planned": planned, **self.found(roster)}

    def found(self, roster: Roster) -> dict[str, Any]:
        """Return the students that the search finds, with their row if they are on the roster."""
        text = self.query("search").strip()
        if len(text) < SHORTEST_SEARCH:
            return {"search": text, "found": None, "visitor_form": VisitorForm()}
        students = self.ask("students", query={"search": text, "page_size": SHOWN, "ordering": "name"})
        first_name, _, last_name = text.partition(" ")
        return {
            "search": text,
            "found": [(one, roster.row(one["id"])) for one in students["results"]],
            "more": max(0, students["count"] - SHOWN),
            "visitor_form": VisitorForm(initial={"first_name": first_name, "last_name": last_name.strip()}),
        }

    def roster_again(self, session: dict[str, Any], **toast: str) -> HttpResponse:
        """Respond with the whole roster, for htmx to put in the place of the one that is shown, and with a toast."""
        context = {**self.of_session(session), **toast}
        response = self.render(context, template="desk/schedule/roster/again.html")
        response["HX-Retarget"], response["HX-Reswap"] = "#roster", "outerHTML"
        return response


class SessionPage(RosterPage):
    """A session: when, where, who teaches, and its roster. Each tap on a student is saved at once."""

    template_name = "desk/schedule/roster/session.html"

    def context(self) -> dict[str, Any]:
        return self.of_session(self.ask("class-session", id=self.kwargs["id"]))


class RosterLive(SessionPage):
    """The roster alone: 204 while nothing has changed, for three small statements."""

    template_name = "desk/schedule/roster/roster.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.query("seen") == queries.roster_fingerprint(self.kwargs["id"], now=self.now):
            return HttpResponse(status=204)
        return self.render({**self.context(), "is_update": True})


class Mark(RosterPage):
    """Mark one student: `mark` is `<id of the student>:<present, late or absent>`.

    The response is the student's row, the numbers, and a toast that takes the mark back. With `whole`, it is the
    whole roster. `checked_in_at` restores the time of a check-in that is marked again after it was taken away.
    """

    def submit(self) -> HttpResponseBase:
        student, state = _read_mark(self.request.POST.get("mark", ""))
        key: UUID = self.kwargs["id"]
        before = self.ask("class-session", id=key)
        try:
            session = self.save(key, student, state)
        except Refused as error:
            if self.is_fragment:
                raise
            self.say(error.sentence, "error")
            return self.redirect("desk:session", id=key)
        if not self.is_fragment:
            return self.redirect(f"{reverse('desk:session', kwargs={'id': key})}#s-{student}")
        entry = next((one for one in before["roster"] if one["student"]["id"] == student), None)
        return self.respond_to(session, student, state, RosterRow(entry, []) if entry else None)

    def save(self, key: UUID, student: str, state: str) -> dict[str, Any]:
        """Send the mark to the API; return the session as it then is. Raises `Refused`."""
        checked_in_at = self.request.POST.get("checked_in_at", "")
        if checked_in_at and state != ABSENT:
            body = {"student": student, "class_session": str(key), "checked_in_at": checked_in_at}
            self.send("POST", "attendance", {**body, "late": state == LATE})
            found: dict[str, Any] = self.ask("class-session", id=key)
        else:
            entries = [{"student": student, "state": state}]
            found = self.send("PUT", "class-session-roster", {"entries": entries}, id=key)
        return found

    def respond_to(
        self, session: dict[str, Any], student: str, state: str, before: RosterRow | None
    ) -> HttpResponseBase:
        """Return the row of the student as it is now; the whole roster if it was asked for or a row comes or goes."""
        context = self.of_session(session)
        row: RosterRow | None = context["roster"].row(student)
        known = row or before
        toast = {
            "message": _sentence(known.name if known else "", row.state if row else state),
            "undo": f"{student}:{before.undo_state if before else ABSENT}",
            "undo_checked_in_at": before.entry["checked_in_at"]
            if before and before.came and state == ABSENT
            else "",
        }
        if "undone" in self.request.POST:
            toast["undo"] = ""
        if row is None or before is None or "whole" in self.request.POST:
            return self.roster_again(session, **toast)
        return self.render({**context, "row": row, **toast}, template="desk/schedule/roster/marked.html")


class VisitorForm(ApiForm):
    """A person who trains for the first time."""

    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=120)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=120, required=False)


class Visitors(SessionPage):
    """GET: find students as you type. POST: add a new student on trial, and mark them present."""

    template_name = "desk/schedule/roster/found.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if not self.is_fragment:
            address = reverse("desk:session", kwargs={"id": self.kwargs["id"]})
            return self.redirect(f"{address}?{self.request.GET.urlencode()}")
        return self.render(self.context())

    def submit(self) -> HttpResponseBase:
        form, session_id = VisitorForm(self.request.POST), self.kwargs["id"]
        session = self.ask("class-session", id=session_id)
        if not form.is_valid():
            return self.again(session, form, status=400)
        try:
            student = self.send("POST", "students", {**form.body(), "status": "trial"})
        except Refused as error:
            form.add_refusal(error)
            return self.again(session, form, status=error.status)
        message = gettext("%(name)s is added as a visitor and marked present.")
        if student.get("possible_duplicates"):
            message = gettext(
                "%(name)s is added as a visitor and marked present. Another student has this name."
            )
        refusal = ""
        try:
            body = {"entries": [{"student": student["id"], "state": PRESENT}]}
            session = self.send("PUT", "class-session-roster", body, id=session_id)
        except Refused as error:
            message, refusal = (
                gettext("%(name)s is added as a student, but not marked:"),
                f" {error.sentence}",
            )
        message = message % {"name": student["name"]} + refusal
        if self.is_fragment:
            return self.roster_again(session, message=message)
        return self.redirect("desk:session", message, id=session_id)

    def again(self, session: dict[str, Any], form: VisitorForm, *, status: int) -> HttpResponseBase:
        """Show the form again with its errors."""
        template = self.template_name if self.is_fragment else SessionPage.template_name
        context = {**self.of_session(session), "visitor_form": form, "is_visitor_form_open": True}
        return self.render(context, template=template, status=status)


def _read_mark(text: str) -> tuple[str, str]:
    """Return student and state. Raises `Invalid`."""
    student, _, state = text.partition(":")
    try:
        key = str(UUID(student))
    except ValueError:
        raise Invalid.field("mark", gettext("This is not a student.")) from None
    if state not in {PRESENT, LATE, ABSENT}:
        raise Invalid.field("mark", gettext("Choose present, late or absent."))
    return key, state


def _sentence(name: str, state: str) -> str:
    sentences = {
        PRESENT: gettext("%(name)s: present."),
        LATE: gettext("%(name)s: late."),
        ABSENT: gettext("%(name)s: not here."),
        EXPECTED: gettext("%(name)s: not marked."),
    }
    return sentences[state] % {"name": name}
