"""Helpers of the tests about scans: send one, and read back what was recorded and refused."""

from typing import Any

from shared_apps.accounts.sessions import open_session
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tests.support.clients import Caller, Dojo
from tests.support.responses import ok


def scan(caller: Caller, token: str, **fields: Any) -> Any:
    """Return the response to a scan of `token`."""
    return caller.post("/attendance/scan", {"token": token, **fields})


def sign_in_again(caller: Caller, dojo: Dojo) -> Caller:
    """Return the caller with an access token that is valid at the present of the clock."""
    assert caller.user is not None
    with tenant_scope(dojo.tenant):
        return Caller(dojo.host, token=open_session(caller.user, now=clock.now()).access, user=caller.user)


def with_admin_signed_in(dojo: Dojo) -> Dojo:
    """Return the dojo with an admin whose access token is valid at the present of the clock."""
    return Dojo(dojo.tenant, people={"admin": sign_in_again(dojo.admin, dojo)})


def pair_kiosk(dojo: Dojo, location: str = "") -> Caller:
    """Return a new device that is paired and was never used."""
    code = dojo.create("/devices", {"name": "Kiosk", "location": location})["pairing_code"]
    token = ok(dojo.anonymous.post("/devices/pairing", {"code": code}), 201)["access"]
    return Caller(dojo.host, token=token)


def attendances(dojo: Dojo) -> list[dict[str, Any]]:
    """Return the attendances of the dojo as its admin sees them."""
    rows: list[dict[str, Any]] = ok(dojo.admin.get("/attendance"))["results"]
    return rows


def refusal_codes(dojo: Dojo) -> list[str]:
    """Return the codes of the refusals that the admin sees, newest first."""
    return [row["code"] for row in ok(dojo.admin.get("/attendance/refusals"))["results"]]


def alert_codes(answer: Any, status: int = 201) -> list[str]:
    """Return the codes of the alerts in the response to a scan; each has a message."""
    alerts = ok(answer, status)["alerts"]
    assert all(set(alert) == {"code", "message"} and alert["message"] for alert in alerts)
    return [alert["code"] for alert in alerts]


def session_name(answer: Any, status: int = 201) -> str:
    """Return the name of the session in the response to a scan."""
    name: str = ok(answer, status)["attendance"]["class_session"]["name"]
    return name
