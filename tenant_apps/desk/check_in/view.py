"""The page that the camera of a phone opens at the code of a class session: one touch checks in."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tatami.errors import NotFound
from tenant_apps.attendance.check_in.codes import read_code
from tenant_apps.classes.models import ClassSession
from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page


class CheckIn(Page):
    """For the code of a session: who checks in. For that of a student or a card: nothing about the person.

    Any other code is 404. The code is public, so the session is shown without a sign-in.
    """

    template_name = "desk/check_in/check_in.html"

    def session_of_code(self) -> ClassSession | None:
        """Return the session of the code, `None` for the code of a student or a card. Raises `NotFound`."""
        code = read_code(self.kwargs["token"])
        session = (
            ClassSession.objects.filter(pk=UUID(bytes=code.id)).first()
            if code and code.is_of_session
            else None
        )
        if code is None or (code.is_of_session and session is None):
            raise NotFound
        return session

    def context(self) -> dict[str, Any]:
        session = self.session_of_code()
        students = self.ask("me")["students"] if session and self.user else []
        return {
            "session": session,
            "students": students,
            "nonce": uuid4().hex,
            "sign_in": self.sign_in_url(),
        }

    def submit(self) -> HttpResponseBase:
        with transaction.atomic():
            if self.session_of_code() is None:
                raise NotFound
        student, nonce = self.request.POST.get("student", ""), self.request.POST.get("nonce", "")
        scan = {"token": self.kwargs["token"], "student": student}
        # A nonce for each student: siblings check in with the same code, one after the other.
        try:
            found = self.send("POST", "scan", {**scan, **({"nonce": f"{nonce}-{student}"} if nonce else {})})
        except Refused as refused:
            with transaction.atomic():
                context = self.context()
            return self.render({**context, "fault": refused.message}, status=refused.status)
        name = found["student"]["name"]
        if found["status"] == "recorded":
            self.say(gettext("{student} is checked in.").format(student=name))
        else:
            self.say(gettext("{student} was already checked in.").format(student=name))
        return self.redirect("desk:check-in", token=self.kwargs["token"])
