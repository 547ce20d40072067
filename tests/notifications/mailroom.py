"""What tests of mail share: families to write to, and workers that send."""

from typing import Any

from django.core import mail

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.sending import send_outbox
from tests.support.clients import Dojo
from tests.support.responses import done

OF_AGE = "1998-04-02"
A_CHILD = "2016-04-02"


def student(
    dojo: Dojo, name: str, *, email: str = "", born: str | None = OF_AGE, **more: Any
) -> dict[str, Any]:
    body = {"first_name": name, "last_name": "Sato", "email": email, "birth_date": born, **more}
    return dojo.create("/students", body)


def guardian(name: str, email: str = "") -> dict[str, str]:
    return {"name": name, "email": email, "relation": "parent"}


def written(dojo: Dojo, *students: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Queue a letter to named students; to all who are active without names."""
    audience = {"students": [one["id"] for one in students]} if students else {}
    body = {"audience": audience, "subject": "News for {{ student }}", "body": "Dear {{ recipient }}", **more}
    return dict(done(dojo.instructor.post("/notifications", body), 202))


def turn(dojo: Dojo, **more: Any) -> str | None:
    """Have a worker send for a turn."""
    with tenant_scope(dojo.tenant):
        return send_outbox(Turn(now=clock.now(), **more))


def send_all(dojo: Dojo) -> list[Any]:
    """Have workers send until nothing is due; return the mails, in the order they went out."""
    while turn(dojo) is not DONE:
        pass
    return list(mail.outbox)


def looked_at(dojo: Dojo, notification: dict[str, Any]) -> dict[str, Any]:
    return dict(done(dojo.admin.get(f"/notifications/{notification['id']}")))


def states(dojo: Dojo) -> list[tuple[str, str, str]]:
    """Return address, state and reason of each mail."""
    with tenant_scope(dojo.tenant):
        rows = Delivery.objects.order_by("created_at", "pk")
        return list(rows.values_list("address", "state", "reason"))


def awarded(dojo: Dojo, who: dict[str, Any], rank: str, on: str = "2026-06-14") -> dict[str, Any]:
    """Award a rank past the rules."""
    body = {"student": who["id"], "target_rank": rank, "effective_on": on, "override_reason": "Seminar"}
    return dojo.create("/promotions", body)
