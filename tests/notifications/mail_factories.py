"""Students with guardians, queued mail, and workers that send it."""

from datetime import timedelta
from typing import Any

from django.core import mail

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.sending import send_outbox
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok

ADULT_BIRTH_DATE = "1998-04-02"
CHILD_BIRTH_DATE = "2016-04-02"


def student(
    dojo: Dojo, name: str, *, email: str = "", born: str | None = ADULT_BIRTH_DATE, **more: Any
) -> dict[str, Any]:
    """Create a student, by default an adult without guardians."""
    body = {"first_name": name, "last_name": "Sato", "email": email, "birth_date": born, **more}
    return dojo.create("/students", body)


def adults(dojo: Dojo, size: int) -> list[dict[str, Any]]:
    """Create adult students N0, N1, … with the addresses n0@example.com, n1@example.com, …"""
    return [student(dojo, f"N{n}", email=f"n{n}@example.com") for n in range(size)]


def guardian(name: str, email: str = "") -> dict[str, str]:
    """Return the guardian part of a student's body."""
    return {"name": name, "email": email, "relation": "parent"}


def queue_mail(dojo: Dojo, *students: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Queue a notification to these students, or to all active students if none is given."""
    audience = {"students": [one["id"] for one in students]} if students else {}
    body = {"audience": audience, "subject": "News for {{ student }}", "body": "Dear {{ recipient }}", **more}
    return dict(ok(dojo.instructor.post("/notifications", body), 202))


def send_turn(dojo: Dojo, **more: Any) -> str | None:
    """Run the outbox job once."""
    with tenant_scope(dojo.tenant):
        return send_outbox(JobRun(now=clock.now(), **more))


def send_all(dojo: Dojo) -> list[Any]:
    """Run the outbox job until nothing is due; return all e-mails so far, in the order they were sent."""
    while send_turn(dojo) is not DONE:
        pass
    return list(mail.outbox)


def read_notification(dojo: Dojo, notification: dict[str, Any]) -> dict[str, Any]:
    return dict(ok(dojo.admin.get(f"/notifications/{notification['id']}")))


def states(dojo: Dojo) -> list[tuple[str, str, str]]:
    """Return address, state and reason of each delivery."""
    with tenant_scope(dojo.tenant):
        rows = Delivery.objects.order_by("created_at", "pk")
        return list(rows.values_list("address", "state", "reason"))


def award(dojo: Dojo, who: dict[str, Any], rank: str, on: str = "2026-06-14") -> dict[str, Any]:
    """Award a rank with an override, whatever the criteria say."""
    body = {"student": who["id"], "target_rank": rank, "effective_on": on, "override_reason": "Seminar"}
    return dojo.create("/promotions", body)


def later(**delta: float) -> Any:
    """Fix the present to some time after `NOW`."""
    return clock.fixed(NOW + timedelta(**delta))
