"""Webhooks of a dojo, and workers that send."""

from typing import Any

from shared_apps.webhooks.tasks import deliver
from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tests.support.clients import Caller, Dojo
from tests.support.responses import ok


def integration(dojo: Dojo) -> Caller:
    """Return a caller with an admin's API key, whose token does not expire when a test sets the clock."""
    made = ok(dojo.admin.post("/api-keys", {"name": "Integration", "role": "admin"}), 201)
    return Caller(dojo.host, token=made["key"])


def new_webhook(caller: Caller, url: str, *events: str, **more: Any) -> dict[str, Any]:
    """Create a webhook, by default for every event."""
    body = {"url": url, "events": list(events) or ["*"], **more}
    made: dict[str, Any] = ok(caller.post("/webhooks", body), 201)
    return made


def send(dojo: Dojo) -> None:
    """Run the dojo's job until nothing is due."""
    with tenant_scope(dojo.tenant):
        while deliver(JobRun(now=clock.now())) is not DONE:
            pass


def log(caller: Caller, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    """Return the deliveries of a webhook, newest first."""
    found: list[dict[str, Any]] = ok(caller.get(f"/webhooks/{webhook['id']}/deliveries{query}"))["results"]
    return found


def shown(caller: Caller, webhook: dict[str, Any]) -> dict[str, Any]:
    """Return a webhook as it is now."""
    found: dict[str, Any] = ok(caller.get(f"/webhooks/{webhook['id']}"))
    return found
