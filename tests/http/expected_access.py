"""Who may do what, as CONTRACT.md says it: our own reading of its role matrix, route by route.

Independent of `config.access`, on purpose. A row says what an admin, an instructor, an assistant, a student and a kiosk
device are answered in their own dojo when everything else is right.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.http.sample_dojos import LINK, NEW_PASSWORD, PASSWORD, World
from tests.support import factories

NO: Final = 403
JSON: Final = "application/json"
CSV: Final = "text/csv"
ICS: Final = "text/calendar"
PAGE: Final = "text/html"
PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
OWN: Final = "own"
"""Like an admin, but only for what belongs to him: other rows are 404, and not in his lists."""

Body = Callable[[World, str], dict[str, Any]]


@dataclass(frozen=True)
class Upload:
    """A body that is a file, in the part `file` of a form."""

    text: str


@dataclass(frozen=True)
class Row:
    """What each role is answered, and the body, file or query that makes it succeed."""

    admin: int
    instructor: int = NO
    assistant: int = NO
    student: int | str = NO
    device: int = NO
    body: Body | None = None
    upload: Upload | None = None
    query: Callable[[World], str] | None = None
    media: str = JSON
    """The type of an answer that is not refused; refusals are JSON on every route."""
    public: bool = False

    def status_for(self, role: str) -> int:
        """Return the status for a role that acts on what it may see."""
        wanted = getattr(self, role)
        return self.admin if wanted == OWN else int(wanted)


def admins(status: int, body: Body | None = None) -> Row:
    return Row(status, body=body)


def teachers(status: int, body: Body | None = None) -> Row:
    return Row(status, status, body=body)


def staff(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, body=body)


def everybody(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, status, body=body)


def staff_and_own(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, OWN, body=body)


def public(status: int, body: Body | None = None) -> Row:
    return Row(status, status, status, status, status, body=body, public=True)


def and_devices(row: Row) -> Row:
    """Return the row, open to the dojo's kiosks too."""
    return replace(row, device=row.admin)


def says(**fields: Any) -> Body:
    """Return a body that is the same for everybody."""
    return lambda world, role: dict(fields)


def names(*, also: dict[str, Any] | None = None, **fields: str) -> Body:
    """Return a body whose fields are ids of the world."""
    return lambda world, role: {**(also or {}), **{name: world.ids[of] for name, of in fields.items()}}


REASON = says(reason="It was entered twice.")

SIGN_IN: Final[dict[str, dict[str, Row]]] = {
    "/openapi.json": {"GET": public(200)},
    "/docs": {"GET": replace(public(200), media=PAGE)},
    "/auth/login": {"POST": public(200, says(email="c@example.com", password=PASSWORD))},
    "/auth/refresh": {"POST": public(200, lambda world, role: {"refresh": world.refresh})},
    "/auth/logout": {"POST": public(204, lambda world, role: {"refresh": world.refresh})},
    "/auth/password": {"POST": everybody(204, says(current_password=PASSWORD, new_password=NEW_PASSWORD))},
    "/auth/password/reset": {"POST": public(204, says(email="c@example.com"))},
    "/auth/password/reset/confirm": {"POST": public(204, says(token=LINK, new_password=NEW_PASSWORD))},
    "/me": {"GET": and_devices(everybody(200)), "PATCH": everybody(200, says(name="Somebody New"))},
}

PLATFORM: Final[dict[str, dict[str, Row]]] = {
    **SIGN_IN,
    "/audit": {"GET": admins(200)},
    "/users": {"GET": admins(200), "POST": admins(201, says(email="new@example.com", role="admin"))},
    "/users/{}": {"GET": admins(200), "PATCH": admins(200, says(name="Renamed")), "DELETE": admins(204)},
    "/tenants": {
        "GET": admins(200),
        "POST": admins(201, says(name="New Dojo", slug="new-dojo", admin={"email": "head@example.com"})),
    },
    "/tenants/{}": {"GET": admins(200), "PATCH": admins(200, says(name="Renamed")), "DELETE": admins(202)},
    "/tenants/{}/usage": {"GET": admins(200)},
    "/tenants/{}/impersonations": {"POST": admins(201, says(reason="Ticket 4711"))},
    "/tenants/{}/purge": {"POST": admins(204, says(confirm="spare-deleting"))},
    # whole dojos: superadmins ask for them; whoever has the link of an archive may fetch it
    "/tenants/{}/exports": {"POST": admins(202)},
    "/tenants/{}/exports/{}": {"GET": admins(200)},
    "/tenants/{}/exports/{}/archive": {
        "GET": replace(public(200), query=lambda world: f"?token={world.codes['archive link']}", media=ZIP)
    },
    "/tenants/{}/domains": {
        "GET": admins(200),
        "POST": admins(201, says(domain="other.seishin-dojo.de")),
    },
    "/tenants/{}/domains/{}": {
        "GET": admins(200),
        "PATCH": admins(200, says(is_primary=True)),
        "DELETE": admins(204),
    },
    "/tenants/{}/domains/{}/verification": {"POST": admins(200)},
}


def _class(world: World, role: str) -> dict[str, Any]:
    return {
        "name": "Morning class",
        "recurrence": factories.SCHEDULE,
        "discipline": world.ids["discipline"],
        "instructors": [world.ids["user"]],
        "min_rank": world.ids["rank"],
    }


def _scan(world: World, role: str) -> dict[str, Any]:
    if role == "student":
        return {"token": world.codes["session"]}
    return {"token": world.codes["student"], "class_session": world.ids["session"]}


def _code(world: World, role: str) -> dict[str, Any]:
    if role == "device":
        return {"class_session": world.ids["session"]}
    return {"student": world.ids["student"]}


def _sync(world: World, role: str) -> dict[str, Any]:
    said = {"nonce": "offline-1", "scanned_at": "2026-06-15T16:40:00Z"}
    scan = {"token": world.codes["student"], "class_session": world.ids["session"], **said}
    return {"sent_at": "2026-06-15T16:40:00Z", "scans": [scan]}


def _check(world: World, role: str) -> dict[str, Any]:
    asked = {"rank_system": world.ids["rank system"], "target_rank": world.ids["rank"]}
    return {"students": [world.ids["student"]], **asked}


def _new_user(world: World, role: str) -> dict[str, Any]:
    return {"email": "new@example.com", "name": "New", "role": "student", "students": [world.ids["student"]]}


DOJO: Final[dict[str, dict[str, Row]]] = {
    **SIGN_IN,
    "/audit": {"GET": admins(200)},
    # users: admins write, other staff read
    "/users": {"GET": staff(200), "POST": admins(201, _new_user)},
    "/users/{}": {"GET": staff(200), "PATCH": admins(200, says(name="Renamed")), "DELETE": admins(204)},
    # settings: admins write, other staff read
    "/settings": {"GET": staff(200), "PATCH": admins(200, says(late_after_minutes=5))},
    "/settings/logo": {
        "GET": staff(200),
        "PUT": admins(200, says(image=factories.RED_PIXEL)),
        "DELETE": admins(204),
    },
    # devices: admins only; a device pairs itself, which nobody is logged in for
    "/devices": {"GET": admins(200), "POST": admins(201, says(name="Side door", location="Hall B"))},
    "/devices/{}": {"GET": admins(200), "DELETE": admins(204)},
    "/devices/pairing": {"POST": public(201, lambda world, role: {"code": world.codes["pairing"]})},
    # import, export, erasure: admins only
    "/students/import": {
        "POST": Row(200, upload=Upload("first_name,last_name,external_id\nSora,Kato,k-9\n"))
    },
    "/students/export": {"GET": replace(admins(200), media=CSV)},
    "/students/{}/export": {"GET": admins(200)},
    "/students/{}/erasure": {"POST": admins(204, names(confirm="student"))},
    "/rank-events/import": {
        "POST": Row(
            200,
            upload=Upload("external_id,rank_system,rank,effective_on\nmika-1,aikikai,4-kyu,2026-02-10\n"),
        )
    },
    "/facts/import": {
        "POST": Row(200, upload=Upload("external_id,kind,value,on\nmika-1,points,3,2026-02-10\n"))
    },
    # disciplines, rank systems, presets: admins write, everybody reads
    "/disciplines": {"GET": everybody(200), "POST": admins(201, says(name="Iaido"))},
    "/disciplines/{}": {
        "GET": everybody(200),
        "PATCH": admins(200, says(name="Jodo")),
        "DELETE": admins(204),
    },
    "/rank-systems/presets": {"GET": everybody(200)},
    "/rank-systems": {
        "GET": everybody(200),
        "POST": admins(201, names(discipline="discipline", also={"preset": "fik-kendo"})),
    },
    "/rank-systems/{}": {
        "GET": everybody(200),
        "PATCH": admins(200, says(name="Our grades")),
        "DELETE": admins(204),
    },
    "/rank-systems/{}/rules": {
        "GET": everybody(200),
        "PUT": admins(200, lambda world, role: {**world.rules, "note": "As our dojo does it."}),
    },
    # students, guardians, holds: staff write (assistants delete nothing), students read their own
    "/students": {"GET": staff_and_own(200), "POST": staff(201, says(first_name="Aoi", last_name="Mori"))},
    "/students/{}": {
        "GET": staff_and_own(200),
        "PATCH": staff(200, says(phone="030 1234")),
        "DELETE": teachers(204),
    },
    "/guardians": {"GET": staff_and_own(200)},
    "/students/{}/holds": {
        "GET": staff_and_own(200),
        "POST": staff(201, says(**{"from": "2026-07-01", "until": "2026-07-14", "reason": "Abroad"})),
    },
    "/students/{}/holds/{}": {
        "GET": staff_and_own(200),
        "PATCH": staff(200, says(until="2026-01-20")),
        "DELETE": teachers(204),
    },
    # notes: admins and instructors write, assistants read, students do not see them
    "/students/{}/notes": {"GET": staff(200), "POST": teachers(201, says(text="Right knee"))},
    "/students/{}/notes/{}": {
        "GET": staff(200),
        "PATCH": teachers(200, says(text="Both knees")),
        "DELETE": teachers(204),
    },
    # facts: admins and instructors write, assistants read, students read their own
    "/students/{}/facts": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201, names(rank_system="rank system", also={"kind": "points", "value": 3, "on": "2026-01-01"})
        ),
    },
    "/facts/{}/void": {"POST": teachers(200, REASON)},
    # rank events: staff read, students their own; only admins and instructors write
    "/students/{}/rank-events": {
        "GET": staff_and_own(200),
        "POST": teachers(201, names(rank="rank", also={"kind": "import", "effective_on": "2026-03-01"})),
    },
    "/rank-events": {"GET": staff_and_own(200)},
    "/rank-events/{}/void": {"POST": teachers(200, REASON)},
    # classes, sessions: admins and instructors write, everybody reads, devices today's sessions
    "/classes": {"GET": everybody(200), "POST": teachers(201, _class)},
    "/classes/{}": {
        "GET": everybody(200),
        "PATCH": teachers(200, names(discipline="discipline", also={"capacity": 20})),
        "DELETE": teachers(204),
    },
    "/class-sessions": {
        "GET": and_devices(everybody(200)),
        "POST": teachers(
            201,
            names(**{"class": "class"}, also={"starts_at": "2026-06-20T10:00:00Z", "duration_minutes": 60}),
        ),
    },
    "/class-sessions/{}": {
        "GET": and_devices(everybody(200)),
        "PATCH": teachers(200, says(note="Bring a jo.")),
    },
    "/class-sessions/{}/cancellation": {"POST": teachers(201, says()), "DELETE": teachers(204)},
    "/class-sessions/{}/roster": {
        "PUT": staff(
            200, lambda world, role: {"entries": [{"student": world.ids["student"], "state": "present"}]}
        )
    },
    # enrolments, rosters: staff write, students read their own enrolment
    "/classes/{}/enrolments": {"GET": staff_and_own(200), "POST": staff(201, names(student="third student"))},
    "/classes/{}/enrolments/{}": {"DELETE": staff(204)},
    # one's feed of the schedule: whoever has a login makes and ends his own; its address is all that reading it takes
    "/me/calendar": {"POST": everybody(201, says()), "DELETE": everybody(204)},
    "/calendar.ics": {
        "GET": replace(public(200), query=lambda world: f"?token={world.codes['feed']}", media=ICS)
    },
    # codes: everybody, students for themselves, devices those of sessions; no reissue by students
    "/qr": {"POST": and_devices(staff_and_own(201, _code))},
    "/students/{}/card": {"POST": staff(201, says()), "DELETE": staff(204)},
    # the page that a session's code leads to: public, as whoever scans it may have no login yet
    "/check-in/{}": {"GET": replace(public(200), media=PAGE)},
    # attendance: staff write (assistants void what they recorded), devices scan and sync, students scan a session's
    # code and read their own
    "/attendance/scan": {"POST": and_devices(staff_and_own(201, _scan))},
    "/attendance/sync": {"POST": and_devices(staff(200, _sync))},
    "/attendance/refusals": {"GET": staff(200)},
    "/attendance": {
        "GET": staff_and_own(200),
        "POST": staff(201, names(student="third student", class_session="session")),
    },
    "/attendance/{}": {"GET": staff_and_own(200)},
    "/attendance/{}/void": {"POST": staff(200, REASON)},
    "/students/{}/attendance": {"GET": staff_and_own(200)},
    # reports: all staff read
    "/reports/attendance": {"GET": staff(200)},
    "/reports/absentees": {"GET": staff(200)},
    "/reports/ranks": {"GET": staff(200)},
    "/reports/expected-attendance": {"GET": staff(200)},
    # promotions: everybody asks, students about themselves
    "/promotions/check": {"POST": staff_and_own(200, _check)},
    # awards, rank events, batches: admins and instructors (not for themselves); why a rank was awarded is read like it
    "/promotions": {
        "POST": teachers(
            201, names(student="third student", target_rank="rank", also={"override_reason": "Seminar"})
        )
    },
    "/rank-events/{}/decision": {"GET": staff_and_own(200)},
    "/promotions/batches": {
        "GET": teachers(200),
        "POST": teachers(
            202,
            lambda world, role: {
                "students": [world.ids["third student"]],
                "rank_system": world.ids["rank system"],
                "target_ranks": [world.ids["rank"]],
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
            201, names(rank_system="rank system", also={"name": "Winter grading", "date": "2026-12-12"})
        ),
    },
    "/exams/{}": {
        "GET": staff_and_own(200),
        "PATCH": teachers(200, says(location="Small hall")),
        "DELETE": teachers(204),
    },
    "/exams/{}/candidates": {
        "GET": staff_and_own(200),
        "POST": teachers(
            201,
            lambda world, role: {
                "candidates": [
                    {"student": world.ids["third student"], "target_rank": world.ids["rank"]},
                ]
            },
        ),
    },
    "/exams/{}/candidates/{}": {"DELETE": teachers(204)},
    "/exams/{}/candidates/{}/sheet.pdf": {"GET": replace(staff_and_own(200), media=PDF)},
    "/exams/{}/results": {
        "POST": teachers(
            200,
            lambda world, role: {"results": [{"candidate": world.ids["candidate"], "outcome": "absent"}]},
        )
    },
    "/exams/{}/finish": {"POST": teachers(200)},
    "/exams/{}/reopening": {"POST": teachers(200, REASON)},
    "/exams/{}/examiners-list.pdf": {"GET": replace(staff(200), media=PDF)},
    "/exams/{}/certificates.pdf": {"GET": replace(staff(200), media=PDF)},
    "/rank-events/{}/certificate.pdf": {"GET": replace(staff_and_own(200), media=PDF)},
    "/certificates/{}": {"GET": public(200)},
    # notifications, templates: admins and instructors; whoever has the link in a mail may unsubscribe
    "/notifications": {
        "GET": teachers(200),
        "POST": teachers(
            202,
            lambda world, role: {
                "audience": {"students": [world.ids["third student"]]},
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
        "PUT": teachers(200, says(subject="{{ rank }}", body="Well done!")),
    },
    "/notification-templates/{}/preview": {"POST": teachers(200, names(student="student"))},
    "/notification-templates/{}/test": {"POST": teachers(202)},
    "/unsubscribe/{}": {
        "GET": replace(public(200), media=PAGE),
        "POST": replace(public(200), media=PAGE),
    },
    # what last night's check said: all staff read
    "/promotions/snapshot": {"GET": staff(200)},
}

TABLES: Final = {"config.urls_platform": PLATFORM, "config.urls_tenant": DOJO}

NAMED_IN_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "/users/{}": ("user",),
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
    "/exams/{}/results": ("exam",),
    "/exams/{}/finish": ("exam",),
    "/exams/{}/reopening": ("finished exam",),
    "/exams/{}/examiners-list.pdf": ("exam",),
    "/exams/{}/certificates.pdf": ("finished exam",),
    "/promotions/batches/{}": ("batch",),
    "/promotions/batches/{}/results": ("batch",),
    "/promotions/batches/{}/cancel": ("batch",),
    "/promotions/batches/{}/revert": ("batch",),
    "/classes/{}": ("class",),
    "/classes/{}/enrolments": ("class",),
    "/classes/{}/enrolments/{}": ("class", "student"),
    "/class-sessions/{}": ("session",),
    "/class-sessions/{}/cancellation": ("session",),
    "/class-sessions/{}/roster": ("session",),
    "/attendance/{}": ("attendance",),
    "/attendance/{}/void": ("attendance",),
    "/devices/{}": ("device",),
    "/check-in/{}": ("check-in",),
    "/notifications/{}": ("notification",),
    "/notifications/{}/recipients": ("notification",),
    "/notifications/{}/cancel": ("notification",),
    "/notification-templates/{}": ("template",),
    "/notification-templates/{}/preview": ("template",),
    "/notification-templates/{}/test": ("template",),
    "/unsubscribe/{}": ("unsubscribe",),
}
"""Which things of the world, ids or codes, the placeholders of a path stand for."""

IN_EVERY_DOJO: Final = frozenset({"template"})
"""Things that have the same name everywhere, so that another dojo's leads to one's own."""
