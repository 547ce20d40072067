"""An erasure finds what any route has stored about a student: mark each text field, erase, and search everywhere.

The routes and their fields come from the URL tables and the OpenAPI document, so a new route cannot be forgotten. What
may stay is listed with its reason in `tenant_apps/students/erasure_policy.py`.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from tatami import clock
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.students.erasure_policy import KEPT
from tenant_apps.students.models import Student
from tests.http.expected_access import Upload
from tests.http.sample_dojos import SampleHost, create_sample_dojo, create_sample_platform, password_hash
from tests.http.test_access_matrix import Case, body_for, cases, is_platform, path_for, row_of
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

MARK = "zqmark"
WRITES = {"POST", "PUT", "PATCH"}
NOT_TRIED = {
    (
        "/tenants",
        "POST",
    ): "It commits a new dojo with the owner login; the texts are the names of a dojo and of its admin.",
    ("/tenants/{}/purge", "POST"): "It drops a dojo with all its texts.",
    ("/students/{}/erasure", "POST"): "It is the erasure.",
}
STORED_RESPONSES = {"accounts_idempotentanswer.answer", "public.accounts_idempotentanswer.answer"}
ABOUT_RANKS = {"/rank-systems", "/rank-systems/{}/rules"}
"""Their texts name one another, so many refuse a mark. None is about a student."""
REFUSED: Final[dict[str, set[str]]] = {
    "A secret, which is compared or hashed, or a code that must exist.": {
        "PATCH /users/{} password",
        "POST /users password",
        "POST /attendance/scan token",
        "POST /auth/login email",
        "POST /auth/login password",
        "POST /auth/logout refresh",
        "POST /auth/oidc/token code",
        "POST /auth/oidc/token code_verifier",
        "POST /auth/passkey challenge",
        "POST /auth/password current_password",
        "POST /auth/password new_password",
        "POST /auth/password/reset/confirm new_password",
        "POST /auth/password/reset/confirm token",
        "POST /auth/refresh refresh",
        "POST /auth/second-factor challenge",
        "POST /auth/second-factor code",
        "POST /auth/second-factor/enrolment challenge",
        "POST /devices/pairing code",
        "POST /me/recovery-codes password",
        "POST /me/second-factors password",
        "POST /me/second-factors/{}/confirmation code",
    },
    "A time, a name from a list, an address on the network, an image: it has a format.": {
        "PATCH /classes/{} recurrence.more_times.0.start_time",
        "PATCH /classes/{} recurrence.start_time",
        "POST /classes recurrence.more_times.0.start_time",
        "POST /classes recurrence.start_time",
        "PATCH /settings accent_color",
        "PATCH /settings certificate_number",
        "PATCH /settings reply_to",
        "PATCH /settings timezone",
        "PATCH /tenants/{} timezone",
        "PATCH /webhooks/{} events.0",
        "PATCH /webhooks/{} url",
        "POST /webhooks events.0",
        "POST /webhooks url",
        "POST /api-keys allowed_addresses.0",
        "POST /notification-templates/{}/test email",
        "POST /notifications template",
        "POST /tenants/{}/domains domain",
        "PUT /identity-provider email_domains.0",
        "PUT /identity-provider issuer",
        "PUT /settings/logo image",
    },
    "Part of a value that is marked as a whole, in the same column.": {
        "POST /students/transfers facts.0.value.category",
        "POST /students/{}/facts value.category",
    },
}
UPLOADS = {
    "/students/import": (
        "first_name,last_name,preferred_name,email,phone,gender,external_id,medical_notes,licence_number,"
        "guardian_1_name,guardian_1_email,guardian_1_phone,guardian_1_relation\n"
        "{m}a,{m}b,{m}c,{m}d@example.com,{m}e,{m}f,{m}g,{m}h,{m}i,{m}j,{m}k@example.com,{m}l,{m}m\n"
    ),
    "/rank-events/import": (
        "external_id,rank_system,rank,effective_on,note\nmika-1,aikikai,4-kyu,2026-02-10,{m}\n"
    ),
    "/facts/import": "external_id,kind,value,on,note\nmika-1,document,{m},2026-02-10,{m}\n",
    "/attendance/import": "external_id,date,class\nmika-1,2026-06-15,Evening class\n",
}
"""Of each file that is uploaded: one row with a mark in each free text."""


def _full_result(sample: SampleHost) -> dict[str, Any]:
    return {
        "candidate": sample.ids["candidate"],
        "outcome": "passed",
        "condition": {"text": "Hand in the essay", "until": "2026-09-30"},
        "override_reason": "Seminar",
    }


def _full_export(sample: SampleHost) -> dict[str, Any]:
    exported = sample.callers["admin"].get(f"/students/{sample.ids['student']}/export").json()
    kept = ("student", "notes", "holds", "facts", "rank_events", "attendance")
    document = {name: exported[name] for name in kept}
    document["student"] |= {"first_name": "Aiko", "external_id": None}
    return {**document, "dojo": {"name": "Old Dojo"}}


FULL_BODIES: Final = {
    ("/exams/{}/results", "POST"): lambda sample: {"results": [_full_result(sample)]},
    ("/students/{}/facts", "POST"): lambda sample: {"kind": "document", "value": "Essay", "on": "2026-01-01"},
    ("/students/transfers", "POST"): _full_export,
}
"""Bodies in which more texts are allowed than in the sample of the access matrix."""


@pytest.fixture
def hosts(dojo: Dojo, hashings: Any) -> Iterator[dict[bool, SampleHost]]:
    with clock.fixed(NOW):
        hashed_password = password_hash()
        yield {
            False: create_sample_dojo(dojo, hashed_password),
            True: create_sample_platform(Platform(), hashed_password),
        }


@cache
def document(host: str) -> Any:
    return Caller(host).get("/openapi.json").json()


def text_fields(case: Case, host: str) -> list[tuple[str, ...]]:
    """Return the paths of the free texts of a request body: `("guardians", "0", "name")`."""
    everything = document(host)
    for path, operations in everything["paths"].items():
        template = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        if template == case[1] and case[2].lower() in operations:
            content = operations[case[2].lower()].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            return list(_texts_in(schema, everything))
    return []


def _texts_in(schema: Any, everything: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if "$ref" in schema:
        schema = everything["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for inner in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _texts_in(inner, everything, at)
    if len(at) > 6 or schema.get("readOnly"):
        return
    for name, inner in schema.get("properties", {}).items():
        yield from _texts_in(inner, everything, (*at, name))
    if "items" in schema:
        yield from _texts_in(schema["items"], everything, (*at, "0"))
    kinds = schema.get("type", "any")
    parts = {"properties", "allOf", "anyOf", "oneOf", "$ref"}
    is_text = "string" in kinds or (kinds == "any" and not schema.keys() & parts)
    if at and is_text and "enum" not in schema and schema.get("format", "email") == "email":
        yield at


def with_value(body: Any, at: tuple[str, ...], value: str) -> Any:
    """Return a copy of the body with another value at a path; missing objects and arrays are created."""
    if not at:
        return value
    first, *rest = at
    if first == "0":
        kept = list(body) if isinstance(body, list) and body else [{} if rest else ""]
        return [with_value(kept[0], tuple(rest), value), *kept[1:]]
    known = body if isinstance(body, dict) else {}
    return {**known, first: with_value(known.get(first), tuple(rest), value)}


def with_marks(body: Any, fields: Iterable[tuple[str, ...]]) -> Any:
    """Return a copy of the body with a mark of its own in each field."""
    for number, at in enumerate(fields):
        body = with_value(body, at, f"{MARK}{number}" + ("@example.com" if "email" in at[-1] else ""))
    return body


def accepted_fields(caller: Caller, case: Case, path: str, body: Any) -> list[tuple[str, ...]]:
    """Return the fields that take a mark. A field that refuses it is no free text: a time, a code, a secret."""
    accepted: list[tuple[str, ...]] = []
    every = text_fields(case, caller.host)
    with rolled_back():
        if caller.request(case[2], path, with_marks(body, every)).status_code < 400:
            return every
    for at in every:
        with rolled_back():
            if caller.request(case[2], path, with_marks(body, [*accepted, at])).status_code < 400:
                accepted.append(at)
    return accepted


def send_file(caller: Caller, case: Case, path: str) -> Any:
    file = SimpleUploadedFile("people.csv", UPLOADS[case[1]].replace("{m}", MARK).encode(), "text/csv")
    headers = {"Host": caller.host, "Authorization": f"Bearer {caller.token}"}
    return caller.client.post(path, {"file": file}, headers={**headers, "Idempotency-Key": "marked"})


@cache
def search_sql(schema: str) -> str:
    """Return a statement that yields each column of a schema that contains the mark, as text or as bytes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'django_migrations'",
            [schema],
        )
        tables = [name for (name,) in cursor.fetchall()]
    assert tables
    hexed = MARK.encode().hex()
    return " UNION ALL ".join(
        f"SELECT DISTINCT '{table}.' || c.key FROM {schema}.{table} r, jsonb_each_text(to_jsonb(r)) c"
        f" WHERE lower(c.value) LIKE '%{MARK}%' OR c.value LIKE '%{hexed}%'"
        for table in tables
    )


def marked_places(hosts: dict[bool, SampleHost]) -> set[str]:
    found = set()
    tenant = hosts[False].scope
    assert tenant is not None
    places = ((tenant.schema_name, tenant_scope(tenant), ""), ("public", platform_scope(), "public."))
    for schema, scope, prefix in places:
        with scope, connection.cursor() as cursor:
            cursor.execute(search_sql(schema))
            found |= {f"{prefix}{column}" for (column,) in cursor.fetchall()}
    found |= {f"file {name}" for name in stored_files(str(tenant.tenant_id)) if MARK.encode() in read(name)}
    return found


def stored_files(folder: str) -> Iterator[str]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in names)
    for inner in folders:
        yield from stored_files(f"{folder}/{inner}")


def read(name: str) -> bytes:
    with default_storage.open(name) as file:
        return bytes(file.read())


def erase_everyone(hosts: dict[bool, SampleHost]) -> None:
    tenant, admin = hosts[False].scope, hosts[False].callers["admin"]
    assert tenant is not None
    with tenant_scope(tenant):
        students = list(
            Student._base_manager.filter(erased_at=None, merged_into=None).values_list("pk", flat=True)
        )
    for student in students:
        answer = admin.post(f"/students/{student}/erasure", {"confirm": str(student)})
        assert answer.status_code in {204, 404}, answer.content


def places_left(hosts: dict[bool, SampleHost]) -> set[str]:
    """Erase all students; return where a mark is left."""
    if not marked_places(hosts):
        return set()
    erase_everyone(hosts)
    left = marked_places(hosts)
    # A stored response may stay only where what it was about stays, too.
    return {f"{place}, alone" for place in left} if left <= STORED_RESPONSES else left


def test_an_erasure_leaves_only_what_the_policy_lists(hosts: dict[bool, SampleHost]) -> None:
    assert marked_places(hosts) == set()
    left: dict[str, set[str]] = {}
    refused: set[str] = set()
    for case in cases():
        if case[2] not in WRITES or case[1:] in NOT_TRIED:
            continue
        sample = hosts[is_platform(case)]
        caller, path = sample.callers["admin"], path_for(case, sample, "admin")
        body = FULL_BODIES[case[1:]](sample) if case[1:] in FULL_BODIES else body_for(case, sample, "admin")
        with rolled_back():
            if isinstance(body, Upload):
                answer = send_file(caller, case, path)
                assert (answer.status_code, answer.json()["failed"]) == (200, 0), answer.content
            else:
                accepted = accepted_fields(caller, case, path, body)
                names = {at: f"{case[2]} {case[1]} {'.'.join(at)}" for at in text_fields(case, sample.host)}
                if case[1] not in ABOUT_RANKS:
                    refused |= {name for at, name in names.items() if at not in accepted}
                answer = caller.request(case[2], path, with_marks(body, accepted), Idempotency_Key="marked")
                assert answer.status_code == row_of(case).admin, (case, answer.content)
            for place in places_left(hosts):
                left.setdefault(place, set()).add(f"{case[2]} {case[1]} on {sample.host}")
    assert left.keys() - KEPT.keys() == set(), left
    assert KEPT.keys() - left.keys() == set()  # these are emptied: take them out of the policy
    listed = {name for names in REFUSED.values() for name in names}
    # A new field that refuses a text: has it a format of its own?
    assert refused - listed == set(), "\n".join(sorted(refused - listed))
    assert listed - refused == set()  # these take a text now
