"""The expected access of each role to each route, from the role matrix in docs/api.md.

It is written by hand and does not import `config.access`, so that the test compares two independent sources. A row has
the status that an admin, an instructor, an assistant, a student and a kiosk device get in their own dojo for a valid
request. A new route needs a row here, and its path parameters an entry in `IDS_IN_PATHS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from tatami.api.openapi.examples import CODE_VERIFIER
from tests.http.sample_dojos import LINK, NEW_PASSWORD, PASSWORD, SampleHost
from tests.support import factories

NO: Final = 403
JSON: Final = "application/json"
CSV: Final = "text/csv"
ICS: Final = "text/calendar"
PAGE: Final = "text/html"
PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
OWN: Final = "own"
"""The status of an admin, for own data only: other rows are 404 and missing from lists."""

Body = Callable[[SampleHost, str], dict[str, Any]]


@dataclass(frozen=True)
class Upload:
    """A body that is a CSV file, sent as the form field `file`."""

    text: str


@dataclass(frozen=True)
class Row:
    """The status of each role, with the body, file or query of a valid request."""

    admin: int
    instructor: int = NO
    assistant: int = NO
    student: int | str = NO
    device: int = NO
    body: Body | None = None
    upload: Upload | None = None
    query: Callable[[SampleHost], str] | None = None
    media: str = JSON
    """The media type of a 2xx response. Errors are JSON on every route."""
    public: bool = False
    with_key: bool = True
    """Whether an API key of an allowed role may send the request."""
    with_read_only_key: bool = False
    """Whether a read-only API key may send it although it is not a GET."""

    def status_for(self, role: str) -> int:
        """Return the status for a role that acts on an object it may see."""
        status = getattr(self, role)
        return self.admin if status == OWN else int(status)


def admins(status: int, body: Body | None = None) -> Row:
    return Row(status, body=body)


def teachers(status: int, body: Body | None = None) -> Row:
    return Row(status, status, body=body)


def staff(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, body=body)


def all_users(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, status, body=body)


def staff_and_own(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, OWN, body=body)


def public(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, status, status, body=body, public=True)


def and_devices(row: Row) -> Row:
    """Return the row, with the same status for kiosk devices."""
    return replace(row, device=row.admin)


def users_only(row: Row) -> Row:
    """Return the row for users who sign in: API keys are refused."""
    return replace(row, with_key=False)


def json_body(**fields: Any) -> Body:
    """Return a body that is the same for every host and role."""
    return lambda sample, role: dict(fields)


def json_with_ids(*, also: dict[str, Any] | None = None, **fields: str) -> Body:
    """Return a body whose fields are ids of the host, by the names in `ids`; `also` is added as it is."""
    return lambda sample, role: {**(also or {}), **{name: sample.ids[of] for name, of in fields.items()}}


REASON = json_body(reason="It was entered twice.")

SIGN_IN: Final[dict[str, dict[str, Row]]] = {
    "/openapi.json": {"GET": public(200)},
    "/docs": {"GET": replace(public(200), media=PAGE)},
    "/auth/login": {"POST": public(200, json_body(email="c@example.com", password=PASSWORD))},
    "/auth/refresh": {"POST": public(200, lambda sample, role: {"refresh": sample.refresh})},
    "/auth/logout": {"POST": public(204, lambda sample, role: {"refresh": sample.refresh})},
    "/auth/password": {
        "POST": users_only(all_users(204, json_body(current_password=PASSWORD, new_password=NEW_PASSWORD)))
    },
    "/auth/password/reset": {"POST": public(204, json_body(email="c@example.com"))},
    "/auth/password/reset/confirm": {"POST": public(204, json_body(token=LINK, new_password=NEW_PASSWORD))},
    "/me": {
        "GET": and_devices(all_users(200)),
        "PATCH": users_only(all_users(200, json_body(name="Another Name"))),
    },
    # second factors: all users manage their own; admins reset those of others and decide who needs one
    "/auth/second-factor": {
        "POST": public(
            200,
            lambda sample, role: {"challenge": sample.codes["challenge"], "code": sample.codes["totp"]},
        )
    },
    "/auth/second-factor/enrolment": {
        "POST": public(201, lambda sample, role: {"challenge": sample.codes["enrolment challenge"]})
    },
    "/auth/passkey/options": {"POST": public(200)},
    "/auth/passkey": {
        "POST": public(
            200,
            lambda sample, role: {
                "challenge": sample.codes["passkey challenge"],
                "passkey": sample.passkey,
            },
        )
    },
    "/me/second-factors": {
        "GET": users_only(all_users(200)),
        "POST": users_only(all_users(201, json_body(password=PASSWORD))),
    },
    "/me/second-factors/{}": {
        "GET": users_only(all_users(200)),
        "DELETE": users_only(all_users(204)),
    },
    "/me/second-factors/{}/confirmation": {
        "POST": users_only(all_users(200, lambda sample, role: {"code": sample.codes["totp"]}))
    },
    "/me/recovery-codes": {"POST": users_only(all_users(201, json_body(password=PASSWORD)))},
    # sessions: all users see and end their own
    "/me/sessions": {"GET": users_only(all_users(200)), "DELETE": users_only(all_users(204))},
    "/me/sessions/{}": {"GET": users_only(all_users(200)), "DELETE": users_only(all_users(204))},
    "/users/{}/second-factors": {"DELETE": users_only(admins(204))},
    "/sign-in-policy": {
        "GET": admins(200),
        "PATCH": users_only(admins(200, json_body(second_factor_roles=["admin"]))),
    },
    # API keys: admins only, never with an API key
    "/api-keys": {
        "GET": users_only(admins(200)),
        "POST": users_only(admins(201, json_body(name="Accounting", role="admin", read_only=True))),
    },
    "/api-keys/{}": {"GET": users_only(admins(200)), "DELETE": users_only(admins(204))},
    # webhooks: admins only, also with an API key, which may subscribe for itself
    "/webhooks": {
        "GET": admins(200),
        "POST": admins(201, json_body(url="https://hooks.example.com/", events=["export.done"])),
    },
    "/webhooks/{}": {
        "GET": admins(200),
        "PATCH": admins(200, json_body(description="Payroll")),
        "DELETE": admins(204),
    },
    "/webhooks/{}/test": {"POST": admins(202)},
    "/webhooks/{}/deliveries": {"GET": admins(200)},
    "/webhooks/{}/deliveries/{}/redelivery": {"POST": admins(202)},
}

PLATFORM: Final[dict[str, dict[str, Row]]] = {
    **SIGN_IN,
    "/audit": {"GET": admins(200)},
    "/users": {
        "GET": admins(200),
        "POST": users_only(admins(201, json_body(email="new@example.com", role="admin"))),
    },
    "/users/{}": {
        "GET": admins(200),
        "PATCH": users_only(admins(200, json_body(name="Renamed"))),
        "DELETE": users_only(admins(204)),
    },
    "/tenants": {
        "GET": admins(200),
        "POST": admins(201, json_body(name="New Dojo", slug="new-dojo", admin={"email": "head@example.com"})),
    },
    "/tenants/{}": {
        "GET": admins(200),
        "PATCH": admins(200, json_body(name="Renamed")),
        "DELETE": admins(202),
    },
    "/tenants/{}/usage": {"GET": admins(200)},
    "/tenants/{}/impersonations": {"POST": users_only(admins(201, json_body(reason="Ticket 4711")))},
    "/tenants/{}/purge": {"POST": admins(204, json_body(confirm="spare-deleting"))},
    # exports of a dojo: superadmins create them; the link of an archive needs no login
    "/tenants/{}/exports": {"POST": admins(202)},
    "/tenants/{}/exports/{}": {"GET": admins(200)},
    "/tenants/{}/exports/{}/archive": {
        "GET": replace(public(200), query=lambda sample: f"?token={sample.codes['archive link']}", media=ZIP)
    },
    "/tenants/{}/domains": {
        "GET": admins(200),
        "POST": admins(201, json_body(domain="other.seishin-dojo.de")),
    },
    "/tenants/{}/domains/{}": {
        "GET": admins(200),
        "PATCH": admins(200, json_body(is_primary=True)),
        "DELETE": admins(204),
    },
    "/tenants/{}/domains/{}/verification": {"POST": admins(200)},
    # the proxy asks before it obtains a certificate
    "/tls/domain": {"GET": replace(public(200), query=lambda sample: "?domain=localhost")},
}


def _class(sample: SampleHost, role: str) -> dict[str, Any]:
    return {
        "name": "Morning class",
        "recurrence": factories.SCHEDULE,
        "discipline": sample.ids["discipline"],
        "instructors": [sample.ids["user"]],
        "min_rank": sample.ids["rank"],
    }


def _scan(sample: SampleHost, role: str) -> dict[str, Any]:
    if role == "student":
        return {"token": sample.codes["session"]}
    return {"token": sample.codes["student"], "class_session": sample.ids["session"]}


def _code(sample: SampleHost, role: str) -> dict[str, Any]:
    if role == "device":
        return {"class_session": sample.ids["session"]}
    return {"student": sample.ids["student"]}


def _sync(sample: SampleHost, role: str) -> dict[str, Any]:
    said = {"nonce": "offline-1", "scanned_at": "2026-06-15T16:40:00Z"}
    scan = {"token": sample.codes["student"], "class_session": sample.ids["session"], **said}
    return {"sent_at": "2026-06-15T16:40:00Z", "scans": [scan]}


def _check(sample: SampleHost, role: str) -> dict[str, Any]:
    asked = {"rank_system": sample.ids["rank system"], "target_rank": sample.ids["rank"]}
    return {"students": [sample.ids["student"]], **asked}


def _new_user(sample: SampleHost, role: str) -> dict[str, Any]:
    return {"email": "new@example.com", "name": "New", "role": "student", "students": [sample.ids["student"]]}


DOJO: Final[dict[str, dict[str, Row]]] = {
    **SIGN_IN,
    # the identity provider: admins, who sign in themselves; its sign-in is for everyone
    "/identity-provider": {
        "GET": admins(200),
        "PUT": users_only(admins(200, json_body(issuer="https://login.example.com", client_id="tatami"))),
        "DELETE": users_only(admins(204)),
    },
    "/users/{}/identities": {"DELETE": users_only(admins(204))},
    "/auth/oidc/start": {"GET": replace(public(302), query=lambda sample: f"?code_challenge={'x' * 43}")},
    "/auth/oidc/callback": {"GET": public(400)},  # only the browser that began has the cookie
    "/auth/oidc/token": {
        "POST": public(
            200,
            lambda sample, role: {
                "code": sample.codes["identity code"],
                "code_verifier": CODE_VERIFIER,
            },
        )
    },
    "/audit": {"GET": admins(200)},
    # users: admins write, other staff read
    "/users": {"GET": staff(200), "POST": users_only(admins(201, _new_user))},
    "/users/{}": {
        "GET": staff(200),
        "PATCH": users_only(admins(200, json_body(name="Renamed"))),
        "DELETE": users_only(admins(204)),
    },
    # settings: admins write, other staff read
    "/settings": {"GET": staff(200), "PATCH": admins(200, json_body(late_after_minutes=5))},
    # the whole dojo as a file: admins, also with an API key
    "/exports": {"GET": admins(200), "POST": admins(202)},
    "/exports/{}": {"GET": admins(200), "DELETE": admins(204)},
    "/exports/{}/archive": {"GET": replace(admins(200), media=ZIP)},
    "/settings/logo": {
        "GET": staff(200),
        "PUT": admins(200, json_body(image=factories.RED_PIXEL)),
        "DELETE": admins(204),
    },
    # devices: admins only; pairing needs the code and no login
    "/devices": {
        "GET": admins(200),
        "POST": users_only(admins(201, json_body(name="Side door", location="Hall B"))),
    },
    "/devices/{}": {"GET": admins(200), "DELETE": admins(204)},
    "/devices/pairing": {"POST": public(201, lambda sample, role: {"code": sample.codes["pairing"]})},
    # import, export, erasure: admins only
    "/students/import": {
        "POST": Row(200, upload=Upload("first_name,last_name,external_id\nSora,Kato,k-9\n"))
    },
    "/students/export": {"GET": replace(admins(200), media=CSV)},
    "/students/{}/export": {"GET": admins(200)},
    "/students/{}/erasure": {"POST": admins(204, json_with_ids(confirm="student"))},
    "/students/transfers": {
        "POST": admins(201, json_body(student={"first_name": "Jigoro"}, dojo={"name": "Old Dojo"}))
    },
    "/students/{}/merge": {"POST": admins(200, json_with_ids(duplicate="third student"))},
    "/rank-events/import": {
        "POST": Row(
            200,
            upload=Upload("external_id,rank_system,rank,effective_on\nmika-1,aikikai,4-kyu,2026-02-10\n"),
        )
    },
    "/facts/import": {
        "POST": Row(200, upload=Upload("external_id,kind,value,on\nmika-1,points,3,2026-02-10\n"))
    },
    # disciplines, rank systems, presets: admins write, all users read
    "/disciplines": {"GET": all_users(200), "POST": admins(201, json_body(name="Iaido"))},
    "/disciplines/{}": {
        "GET": all_users(200),
        "PATCH": admins(200, json_body(name="Jodo")),
        "DELETE": admins(204),
    },
    "/rank-systems/presets": {"GET": all_users(200)},
    "/rank-systems": {
        "GET": all_users(200),
        "POST": admins(201, json_with_ids(discipline="discipline", also={"preset": "fik-kendo"})),
    },
    "/rank-systems/{}": {
        "GET": all_users(200),
        "PATCH": admins(200, json_body(name="Our grades")),
        "DELETE": admins(204),
    },
    "/rank-systems/{}/rules": {
        "GET": all_users(200),
        "PUT": admins(200, lambda sample, role: {**sample.rules, "note": "As our dojo does it."}),
    },
    # students, guardians, holds: staff write (assistants delete nothing), students read their own
    "/students": {
        "GET": staff_and_own(200),
        "POST": staff(201, json_body(first_name="Aoi", last_name="Mori")),
    },
    "/students/{}": {
        "GET": staff_and_own(200),
        "PATCH": staff(200, json_body(phone="030 1234")),
        "DELETE": teachers(204),
    },
    "/guardians": {"GET": staff_and_own(200)},
    "/students/{}/holds": {
        "GET": staff_and_own(200),
        "POST": staff(201, json_body(**{"from": "2026-07-01", "until": "2026-07-14", "reason": "Abroad"})),
    },
    "/students/{}/holds/{}": {
        "GET": staff_and_own(200),
        "PATCH": staff(200, json_body(until="2026-01-20")),
        "DELETE": teachers(204),
    },
    # notes: admins and instructors write, assistants read, students do not see them
    "/students/{}/notes": {"GET": staff(200), "POST": teachers(201, json_body(text="Right knee"))},
    "/students/{}/notes/{}": {
        "GET": staff(200),
        "PATCH": teachers(200, json_body(text="Both knees")),
        "DELETE": teachers(204),
    },
    # facts: admins and instructors write, assistants read, students read their own
    "/students/{}/facts": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201,
            json_with_ids(rank_system="rank system", also={"kind": "points", "value": 3, "on": "2026-01-01"}),
        ),
    },
    "/facts/{}/void": {"POST": teachers(200, REASON)},
    # rank events: staff read, students their own; only admins and instructors write
    "/students/{}/rank-events": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201, json_with_ids(rank="rank", also={"kind": "import", "effective_on": "2026-03-01"})
        ),
    },
    "/rank-events": {"GET": staff_and_own(200)},
    "/rank-events/{}/void": {"POST": teachers(200, REASON)},
    # classes, sessions: admins and instructors write, all users read, devices read today's sessions
    "/classes": {"GET": all_users(200), "POST": teachers(201, _class)},
    "/classes/{}": {
        "GET": all_users(200),
        "PATCH": teachers(200, json_with_ids(discipline="discipline", also={"capacity": 20})),
        "DELETE": teachers(204),
    },
    "/class-sessions": {
        "GET": and_devices(all_users(200)),
        "POST": teachers(
            201,
            json_with_ids(
                **{"class": "class"}, also={"starts_at": "2026-06-20T10:00:00Z", "duration_minutes": 60}
            ),
        ),
    },
    "/class-sessions/{}": {
        "GET": and_devices(all_users(200)),
        "PATCH": teachers(200, json_body(note="Bring a jo.")),
    },
    "/class-sessions/{}/cancellation": {"POST": teachers(201, json_body()), "DELETE": teachers(204)},
    "/class-sessions/{}/roster": {
        "PUT": staff(
            200, lambda sample, role: {"entries": [{"student": sample.ids["student"], "state": "present"}]}
        )
    },
    # enrolments, rosters: staff write, students read their own enrolment
    "/classes/{}/enrolments": {
        "GET": staff_and_own(200),
        "POST": staff(201, json_with_ids(student="third student")),
    },
    "/classes/{}/enrolments/{}": {"DELETE": staff(204)},
    # closures: like classes
    "/closures": {
        "GET": all_users(200),
        "POST": teachers(201, json_body(**{"from": "2026-12-24", "until": "2026-12-26"})),
    },
    "/closures/{}": {"GET": all_users(200), "DELETE": teachers(204)},
    # the calendar feed: each user creates and deletes their own; its secret address needs no login
    "/me/calendar": {
        "POST": users_only(all_users(201, json_body())),
        "DELETE": users_only(all_users(204)),
    },
    "/calendar.ics": {
        "GET": replace(public(200), query=lambda sample: f"?token={sample.codes['feed']}", media=ICS)
    },
    # codes: all users, students for themselves, devices for sessions; students do not reissue cards
    "/qr": {"POST": and_devices(staff_and_own(201, _code))},
    "/students/{}/card": {"POST": staff(201, json_body()), "DELETE": staff(204)},
    # attendance: staff write (assistants void what they recorded), devices scan and sync, students scan a session's
    # code and read their own
    "/attendance/scan": {"POST": and_devices(staff_and_own(201, _scan))},
    "/attendance/sync": {"POST": and_devices(staff(200, _sync))},
    "/attendance/refusals": {"GET": staff(200)},
    "/attendance": {
        "GET": staff_and_own(200),
        "POST": staff(201, json_with_ids(student="third student", class_session="session")),
    },
    "/attendance/import": {
        "POST": Row(200, upload=Upload("external_id,date,class\nmika-1,2026-06-15,Evening class\n"))
    },
    "/attendance/{}": {"GET": staff_and_own(200)},
    "/attendance/{}/void": {"POST": staff(200, REASON)},
    "/students/{}/attendance": {"GET": staff_and_own(200)},
    # reports: all staff read
    "/reports/attendance": {"GET": staff(200)},
    "/reports/absentees": {"GET": staff(200)},
    "/reports/ranks": {"GET": staff(200)},
    "/reports/expected-attendance": {"GET": staff(200)},
    # promotion check: all users, students for themselves
    "/promotions/check": {"POST": replace(staff_and_own(200, _check), with_read_only_key=True)},
    # awards, batches: admins and instructors, not for themselves; decisions are read like rank events
    "/promotions": {
        "POST": teachers(
            201,
            json_with_ids(student="third student", target_rank="rank", also={"override_reason": "Seminar"}),
        )
    },
    "/rank-events/{}/decision": {"GET": staff_and_own(200)},
    "/promotions/batches": {
        "GET": teachers(200),
        "POST": teachers(
            202,
            lambda sample, role: {
                "students": [sample.ids["third student"]],
                "rank_system": sample.ids["rank system"],
                "target_ranks": [sample.ids["rank"]],
                "award": True,
            },
        ),
    },
    "/promotions/batches/{}": {"GET": teachers(200)},
    "/promotions/batches/{}/results": {"GET": teachers(200)},
    "/promotions/batches/{}/cancel": {"POST": teachers(200)},
    "/promotions/batches/{}/revert": {"POST": teachers(200, REASON)},
    # exams, certificates: admins and instructors write, assistants read, students read their own
    "/exams": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201,
            json_with_ids(rank_system="rank system", also={"name": "Winter grading", "date": "2026-12-12"}),
        ),
    },
    "/exams/{}": {
        "GET": staff_and_own(200),
        "PATCH": teachers(200, json_body(location="Small hall")),
        "DELETE": teachers(204),
    },
    "/exams/{}/candidates": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201,
            lambda sample, role: {
                "candidates": [
                    {"student": sample.ids["third student"], "target_rank": sample.ids["rank"]},
                ]
            },
        ),
    },
    "/exams/{}/candidates/{}": {"DELETE": teachers(204)},
    "/exams/{}/candidates/{}/sheet.pdf": {"GET": replace(staff_and_own(200), media=PDF)},
    "/exams/{}/candidates/{}/fulfilment": {
        "POST": teachers(201, json_body(override_reason="The essay came by post."))
    },
    "/students/{}/exams": {"GET": staff_and_own(200)},
    "/exams/{}/results": {
        "POST": teachers(
            200,
            lambda sample, role: {"results": [{"candidate": sample.ids["candidate"], "outcome": "absent"}]},
        )
    },
    "/exams/{}/finish": {"POST": teachers(200)},
    "/exams/{}/reopening": {"POST": teachers(200, REASON)},
    "/exams/{}/examiners-list.pdf": {"GET": replace(staff(200), media=PDF)},
    "/exams/{}/certificates.pdf": {"GET": replace(staff(200), media=PDF)},
    "/exams/{}/federation-report": {"GET": staff(200)},
    "/exams/{}/federation-report.pdf": {"GET": replace(staff(200), media=PDF)},
    "/rank-events/{}/certificate.pdf": {"GET": replace(staff_and_own(200), media=PDF)},
    "/certificates/{}": {"GET": public(200)},
    # notifications, templates: admins and instructors; the unsubscribe link in a mail needs no login
    "/notifications": {
        "GET": teachers(200),
        "POST": teachers(
            202,
            lambda sample, role: {
                "audience": {"students": [sample.ids["third student"]]},
                "subject": "News for {{ student }}",
                "body": "Dear {{ recipient }}",
            },
        ),
    },
    "/notifications/{}": {"GET": teachers(200)},
    "/notifications/{}/recipients": {"GET": teachers(200)},
    "/notifications/{}/cancel": {"POST": teachers(200)},
    "/notification-templates": {"GET": teachers(200)},
    "/notification-templates/{}": {
        "GET": teachers(200),
        "PUT": teachers(200, json_body(subject="{{ rank }}", body="Well done!")),
    },
    "/notification-templates/{}/preview": {
        "POST": replace(teachers(200, json_with_ids(student="student")), with_read_only_key=True)
    },
    "/notification-templates/{}/test": {"POST": teachers(202)},
    # which mail one's own address gets: all users, each for themselves
    "/me/notifications": {
        "GET": users_only(all_users(200)),
        "PATCH": users_only(all_users(200, json_body(news=False))),
    },
    "/unsubscribe/{}": {
        "GET": replace(public(200), media=PAGE),
        "POST": replace(public(200), media=PAGE),
    },
    # the snapshot of last night's check: all staff read
    "/promotions/snapshot": {"GET": staff(200)},
}

TABLES: Final = {"config.urls_platform": PLATFORM, "config.urls_tenant": DOJO}

IDS_IN_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "/users/{}": ("user",),
    "/me/second-factors/{}": ("second factor",),
    "/me/second-factors/{}/confirmation": ("new second factor",),
    "/me/sessions/{}": ("own session",),
    "/users/{}/second-factors": ("user",),
    "/users/{}/identities": ("user",),
    "/api-keys/{}": ("api key",),
    "/webhooks/{}": ("webhook",),
    "/webhooks/{}/test": ("webhook",),
    "/webhooks/{}/deliveries": ("webhook",),
    "/webhooks/{}/deliveries/{}/redelivery": ("webhook", "webhook delivery"),
    "/tenants/{}": ("tenant",),
    "/tenants/{}/usage": ("tenant",),
    "/tenants/{}/impersonations": ("tenant that serves",),
    "/tenants/{}/purge": ("tenant that is deleted",),
    "/tenants/{}/exports": ("tenant",),
    "/tenants/{}/exports/{}": ("tenant", "export"),
    "/tenants/{}/exports/{}/archive": ("tenant", "export"),
    "/tenants/{}/domains": ("tenant",),
    "/tenants/{}/domains/{}": ("tenant", "domain"),
    "/tenants/{}/domains/{}/verification": ("tenant", "claimed domain"),
    "/exports/{}": ("own export",),
    "/exports/{}/archive": ("kept export",),
    "/disciplines/{}": ("discipline",),
    "/rank-systems/{}": ("rank system",),
    "/rank-systems/{}/rules": ("rank system",),
    "/students/{}": ("student",),
    "/students/{}/notes": ("student",),
    "/students/{}/notes/{}": ("student", "note"),
    "/students/{}/holds": ("student",),
    "/students/{}/holds/{}": ("student", "hold"),
    "/students/{}/export": ("student",),
    "/students/{}/erasure": ("student",),
    "/students/{}/merge": ("student",),
    "/students/{}/facts": ("student",),
    "/students/{}/rank-events": ("student",),
    "/students/{}/card": ("student",),
    "/students/{}/attendance": ("student",),
    "/facts/{}/void": ("fact",),
    "/rank-events/{}/void": ("rank event",),
    "/rank-events/{}/decision": ("award",),
    "/rank-events/{}/certificate.pdf": ("award",),
    "/certificates/{}": ("certificate",),
    "/exams/{}": ("exam",),
    "/exams/{}/candidates": ("exam",),
    "/exams/{}/candidates/{}": ("exam", "candidate"),
    "/exams/{}/candidates/{}/sheet.pdf": ("exam", "candidate"),
    "/exams/{}/candidates/{}/fulfilment": ("conditional exam", "conditional candidate"),
    "/students/{}/exams": ("student",),
    "/exams/{}/results": ("exam",),
    "/exams/{}/finish": ("exam",),
    "/exams/{}/reopening": ("finished exam",),
    "/exams/{}/examiners-list.pdf": ("exam",),
    "/exams/{}/certificates.pdf": ("finished exam",),
    "/exams/{}/federation-report": ("finished exam",),
    "/exams/{}/federation-report.pdf": ("finished exam",),
    "/promotions/batches/{}": ("batch",),
    "/promotions/batches/{}/results": ("batch",),
    "/promotions/batches/{}/cancel": ("batch",),
    "/promotions/batches/{}/revert": ("batch",),
    "/classes/{}": ("class",),
    "/classes/{}/enrolments": ("class",),
    "/classes/{}/enrolments/{}": ("class", "student"),
    "/closures/{}": ("closure",),
    "/class-sessions/{}": ("session",),
    "/class-sessions/{}/cancellation": ("session",),
    "/class-sessions/{}/roster": ("session",),
    "/attendance/{}": ("attendance",),
    "/attendance/{}/void": ("attendance",),
    "/devices/{}": ("device",),
    "/notifications/{}": ("notification",),
    "/notifications/{}/recipients": ("notification",),
    "/notifications/{}/cancel": ("notification",),
    "/notification-templates/{}": ("template",),
    "/notification-templates/{}/preview": ("template",),
    "/notification-templates/{}/test": ("template",),
    "/unsubscribe/{}": ("unsubscribe",),
}
"""The names of the ids or codes of a host that replace the placeholders of a path, in order."""

IN_EVERY_DOJO: Final = frozenset({"template"})
"""Names that are equal in every dojo: a request with the name of another dojo finds the own object."""
