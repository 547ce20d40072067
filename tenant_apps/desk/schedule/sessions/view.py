"""One session beside its roster: add it, change or move it, cancel it, and its code for the wall."""

from datetime import date
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule import choices, queries
from tenant_apps.desk.schedule.sessions.forms import CancellationForm, NewSessionForm, SessionChangesForm
from tenant_apps.desk.schedule.times import local


class NewSession(Page):
    """A single session: a seminar, an open mat, an additional session of a class."""

    template_name = "desk/schedule/sessions/form.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        try:
            day = date.fromisoformat(self.query("day"))
        except ValueError:
            day = self.today
        initial = {"day": day, "training_class": self.query("class"), "duration_minutes": 60}
        return self.show(self.form(initial=initial))

    def show(self, form: NewSessionForm) -> dict[str, Any]:
        """Return what the page shows."""
        return {"form": form, "places": queries.places()}

    def form(self, *args: Any, **kwargs: Any) -> NewSessionForm:
        """Return the form with the choices of the dojo."""
        return NewSessionForm(
            *args,
            instructors=queries.instructors(),
            classes=[("", gettext("No class: a session by itself")), *choices.classes(self)],
            disciplines=choices.disciplines(self),
            **kwargs,
        )

    def submit(self) -> HttpResponseBase:
        form = self.form(self.request.POST)
        if not form.is_valid():
            return self.render(self.show(form), status=400)
        try:
            session = self.send("POST", "class-sessions", form.body())
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.show(form), status=error.status)
        if session["status"] == "cancelled":
            self.say(
                gettext("This day is closed, so the session is cancelled. You can let it take place."),
                "warning",
            )
            return self.redirect("desk:session", id=session["id"])
        return self.redirect("desk:session", gettext("The session is added."), id=session["id"])


class SessionChanges(Page):
    """Change one session: its class and the other sessions stay as they are. A new time moves it."""

    template_name = "desk/schedule/sessions/form.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        session = self.ask("class-session", id=self.kwargs["id"])
        return self.of_session(session, self.form(session))

    def form(self, session: dict[str, Any], *args: Any) -> SessionChangesForm:
        """Return the form with the values of the session."""
        instructors = choices.with_current(queries.instructors(), session["instructors"])
        initial = SessionChangesForm.initial_of(session)
        return SessionChangesForm(*args, initial=initial, instructors=instructors)

    def of_session(self, session: dict[str, Any], form: SessionChangesForm) -> dict[str, Any]:
        """Return what the page shows."""
        return {"session": session, "form": form, "places": queries.places()}

    def submit(self) -> HttpResponseBase:
        session = self.ask("class-session", id=self.kwargs["id"])
        form = self.form(session, self.request.POST)
        if not form.is_valid():
            return self.render(self.of_session(session, form), status=400)
        try:
            self.send("PATCH", "class-session", form.body(), id=session["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.of_session(session, form), status=error.status)
        return self.redirect("desk:session", gettext("The session is changed."), id=session["id"])


class CancelSession(Page):
    """Ask for the reason and cancel. What was recorded stays."""

    template_name = "desk/schedule/sessions/cancel.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        return self.of_session(self.ask("class-session", id=self.kwargs["id"]), CancellationForm())

    def of_session(self, session: dict[str, Any], form: CancellationForm) -> dict[str, Any]:
        """Return what the dialog shows: who is expected, and whether they will get a mail."""
        expected = sum(bool(one["enrolled"]) for one in session["roster"])
        settings = self.ask("settings")
        tells = settings["notify_class_cancelled"] and local(session["starts_at"]) > self.now
        return {"session": session, "form": form, "expected": expected, "tells": tells}

    def submit(self) -> HttpResponseBase:
        session, form = self.ask("class-session", id=self.kwargs["id"]), CancellationForm(self.request.POST)
        if not form.is_valid():
            return self.render(self.of_session(session, form), status=400)
        try:
            self.send("POST", "class-session-cancellation", form.body(), id=session["id"])
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.of_session(session, form), status=error.status)
        return self.redirect("desk:session", gettext("The session is cancelled."), id=session["id"])


class ReinstateSession(Page):
    """Undo a cancellation."""

    section = "schedule"

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", "class-session-cancellation", id=self.kwargs["id"])
        return self.redirect("desk:session", gettext("The session takes place."), id=self.kwargs["id"])


class SessionCode(Page):
    """The code of a session for the wall. Students scan it with the camera of their phone and sign in."""

    template_name = "desk/schedule/sessions/code.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        session = self.ask("class-session", id=self.kwargs["id"])
        code = self.send("POST", "qr", {"class_session": session["id"], "kind": "card"})
        return {"session": session, "code": code}
