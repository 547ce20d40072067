"""Pages that change where a student trains, and who signs in for them: visits, enrolments, logins."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy

from shared_apps.accounts.models import Role, User
from tatami.text import email_key
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.students.records.forms import (
    EnrolForm,
    EnrolmentEndForm,
    LoginForm,
    ReasonForm,
    VisitForm,
)
from tenant_apps.desk.students.records.record_page import RecordPage

LARGEST_PAGE: Final = 200


# --- visits -------------------------------------------------------------------------------------------------------


class NewVisit(RecordPage):
    """A visit by hand: the address says on which day."""

    title = gettext_lazy("Record a visit")
    action = gettext_lazy("Record")
    done = gettext_lazy("The visit is recorded.")
    form_class = VisitForm

    @property
    def day(self) -> date:
        """The day in the address; today for none, and for what is no day."""
        try:
            return date.fromisoformat(self.query("day"))
        except ValueError:
            return self.today

    def form_options(self) -> Mapping[str, Any]:
        query = {"from": self.day, "to": self.day, "page_size": LARGEST_PAGE}
        sessions = self.ask("class-sessions", query=query)["results"]
        return {"sessions": [one for one in sessions if one["status"] != "cancelled"]}

    def shown(self, form: ApiForm) -> dict[str, Any]:
        has_sessions = bool(form.fields["class_session"].choices)  # type: ignore[attr-defined]
        nothing = "" if has_sessions else gettext("There is no session on this day.")
        return {**super().shown(form), "day": self.day, "nothing": nothing}

    def save(self, form: ApiForm) -> None:
        self.send("POST", "attendance", {"student": str(self.student_id), **form.body()})


class VoidVisit(RecordPage):
    title = gettext_lazy("Take the visit back?")
    question = gettext_lazy("It stays in the list with your reason, and no longer counts.")
    action = gettext_lazy("Take back")
    done = gettext_lazy("The visit no longer counts.")
    form_class = ReasonForm
    is_destructive = True
    sends = ("POST", "attendance-void", "id")


# --- enrolments ---------------------------------------------------------------------------------------------------


class Enrol(RecordPage):
    title = gettext_lazy("Enrol in a class")
    question = gettext_lazy("An enrolled student is expected at each session of the class.")
    action = gettext_lazy("Enrol")
    done = gettext_lazy("The student is enrolled.")
    form_class = EnrolForm

    def form_options(self) -> Mapping[str, Any]:
        query = {"page_size": LARGEST_PAGE, "ordering": "name"}
        return {"classes": self.ask("classes", query=query)["results"]}

    def shown(self, form: ApiForm) -> dict[str, Any]:
        has_classes = bool(form.fields["class_id"].choices)  # type: ignore[attr-defined]
        nothing = "" if has_classes else gettext("There are no classes yet. Add one to the schedule first.")
        return {**super().shown(form), "nothing": nothing}

    def save(self, form: ApiForm) -> None:
        body = {"student": str(self.student_id), **form.body()}
        self.send("POST", "class-enrolments", body, class_id=form.cleaned_data["class_id"])


class EndEnrolment(RecordPage):
    """The record is the class."""

    title = gettext_lazy("End the enrolment?")
    action = gettext_lazy("End")
    done = gettext_lazy("The enrolment has ended.")
    form_class = EnrolmentEndForm
    is_destructive = True

    def save(self, form: ApiForm) -> None:
        self.send(
            "DELETE",
            "class-enrolment",
            query=form.body(),
            class_id=self.record_id,
            student_id=self.student_id,
        )


# --- logins -------------------------------------------------------------------------------------------------------


class NewLogin(RecordPage):
    """Link a user, who is invited if there is none with this address."""

    title = gettext_lazy("Invite the student or a parent")
    question = gettext_lazy(
        "They see the codes, classes, history and progress of this student, and of no one else."
    )
    action = gettext_lazy("Invite")
    done = gettext_lazy("The login is linked.")
    form_class = LoginForm

    def initial(self) -> Mapping[str, Any]:
        student = self.student
        parents = [one for one in student["guardians"] if one["email"]]
        if parents and not student["email"]:
            return {"email": parents[0]["email"], "name": parents[0]["name"]}
        return {"email": student["email"], "name": student["name"] if student["email"] else ""}

    def save(self, form: ApiForm) -> None:
        entered = form.body()
        user = User.objects.people().filter(email_key=email_key(entered["email"])).first()
        if user is None:
            students = [str(self.student_id)]
            self.send("POST", "users", {**entered, "role": Role.STUDENT.value, "students": students})
        else:
            linked = linked_students(self, user.pk) | {str(self.student_id)}
            self.send("PATCH", "user", {"students": sorted(linked)}, id=user.pk)


class EndLogin(RecordPage):
    """The record is the user."""

    title = gettext_lazy("Unlink the login?")
    question = gettext_lazy("The user can no longer see this student, or check in for them. The user stays.")
    action = gettext_lazy("Unlink")
    done = gettext_lazy("The login is unlinked.")
    is_destructive = True

    def save(self, form: ApiForm) -> None:
        linked = linked_students(self, self.record_id) - {str(self.student_id)}
        self.send("PATCH", "user", {"students": sorted(linked)}, id=self.record_id)


def linked_students(page: RecordPage, user: Any) -> set[str]:
    """Return the ids of the students that are linked with a user."""
    return {one["id"] for one in page.ask("user", id=user)["students"]}
