"""The access matrix: every route and method with every role, with ids and tokens of another dojo, and without a token.

The cases come from the two URL tables, the expected responses from `expected_access.py`. The sample data are created
once for this module; what a test changes is rolled back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from shared_apps.tenants.models import Tenant
from shared_apps.tenants.schema import ddl
from tatami import clock
from tatami.api.routes import routes
from tatami.tenancy.scope import platform_scope
from tests.http import expected_access
from tests.http.expected_access import JSON, OWN, Row, Upload
from tests.http.sample_dojos import (
    DEVICE,
    KEY,
    READ_ONLY_KEY,
    ROLES,
    SampleHost,
    create_sample_dojo,
    create_sample_platform,
    password_hash,
)
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import REQUEST_ID, assert_error, ok, url_path
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

Case = tuple[str, str, str]
"""urlconf, path with {} for ids, method"""


def cases() -> list[Case]:
    found = [
        (urlconf, "/" + re.sub(r"<[^>]+>", "{}", route.path), method)
        for urlconf in expected_access.TABLES
        for route in routes(urlconf)
        if route.is_api  # pages: tests/desk/test_page_access.py
        for method in route.methods
    ]
    assert found
    return found


def row_of(case: Case) -> Row:
    urlconf, path, method = case
    found = expected_access.TABLES[urlconf].get(path, {}).get(method)
    if found is None:
        pytest.fail(f"{method} {path} of {urlconf} has no row in tests/http/expected_access.py")
    return found


def is_platform(case: Case) -> bool:
    return "platform" in case[0]


def case_name(case: Case) -> str:
    return f"{'platform' if is_platform(case) else 'dojo'}-{case[2]}-{case[1]}"


def row_if_any(case: Case) -> Row:
    """Return the row of a case; a placeholder if it is missing, which another test reports."""
    return expected_access.TABLES[case[0]].get(case[1], {}).get(case[2]) or Row(200)


every_case = pytest.mark.parametrize("case", cases(), ids=case_name)
guarded_case = pytest.mark.parametrize(
    "case", [case for case in cases() if not row_if_any(case).public], ids=case_name
)
case_with_ids = pytest.mark.parametrize("case", [case for case in cases() if "{}" in case[1]], ids=case_name)
case_with_body_ids = pytest.mark.parametrize(
    "case",
    [
        case
        for case in cases()
        if "urls_tenant" in case[0] and row_if_any(case).body and not row_if_any(case).public
    ],
    ids=case_name,
)
own_case = pytest.mark.parametrize(
    "case", [case for case in cases() if row_if_any(case).student == OWN], ids=case_name
)


# --- sample data --------------------------------------------------------------------------------------------


SCHEMAS_TO_DROP: list[str] = []
"""Schemas that the owner login has committed. They are dropped after our transaction, which has read them."""


@contextmanager
def committed_schemas_dropped() -> Iterator[None]:
    yield
    while SCHEMAS_TO_DROP:
        ddl.drop_schema(SCHEMAS_TO_DROP.pop())


@dataclass(frozen=True)
class Samples:
    """The sample data of the platform and two dojos, and a digest of each table before the first test."""

    platform: SampleHost
    dojo: SampleHost
    other_dojo: SampleHost
    before: Mapping[str, str]

    def __iter__(self) -> Iterator[SampleHost]:
        yield from (self.platform, self.dojo, self.other_dojo)


@pytest.fixture(scope="module")
def all_samples(django_db_setup: None, django_db_blocker: Any) -> Iterator[Samples]:
    """Create the sample data once, in a transaction that is rolled back after the module."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_schemas_dropped(), rolled_back():
        with platform_scope():
            tenants = Tenant.objects.with_primary_domain().filter(slug__in=["aiki", "kendo"])
            scopes = {tenant.slug: tenant.scope for tenant in tenants}
        hashed_password = password_hash()
        hosts = (
            create_sample_platform(Platform(), hashed_password),
            create_sample_dojo(Dojo(scopes["aiki"]), hashed_password),
            create_sample_dojo(Dojo(scopes["kendo"]), hashed_password),
        )
        yield Samples(*hosts, before=table_digests(hosts))


@pytest.fixture
def samples(all_samples: Samples, now: Any) -> Iterator[Samples]:
    """The sample data; what the test changes is rolled back."""
    with rolled_back():
        yield all_samples


def own_host(samples: Samples, case: Case) -> SampleHost:
    return samples.platform if is_platform(case) else samples.dojo


def other_host(samples: Samples, case: Case) -> SampleHost:
    return samples.dojo if is_platform(case) else samples.other_dojo


def path_for(case: Case, sample: SampleHost, role: str) -> str:
    query = row_if_any(case).query
    path = case[1].format(
        *(sample.id_for(name, role) for name in expected_access.IDS_IN_PATHS.get(case[1], ()))
    )
    return path + (query(sample) if query else "")


def body_for(case: Case, sample: SampleHost, role: str) -> dict[str, Any] | Upload | None:
    row = row_of(case)
    return row.body(sample, role) if row.body else row.upload


def send_case(caller: Caller, case: Case, path: str, body: Any) -> Any:
    if not isinstance(body, Upload):
        return caller.request(case[2], path, body)
    headers = {"Host": caller.host, **({"Authorization": f"Bearer {caller.token}"} if caller.token else {})}
    file = SimpleUploadedFile("people.csv", body.text.encode(), "text/csv")
    return caller.client.post(path, {"file": file}, headers=headers)


def succeeded(answer: Any, status: int, media: str) -> Any:
    """Assert status and media type of a response; return its JSON, else its bytes, or `None` if it is empty."""
    content = answer.getvalue()  # of a stream as well
    assert answer.status_code == status, (answer.status_code, content)
    assert REQUEST_ID.fullmatch(answer.headers["X-Request-ID"])
    if status in {204, 302}:
        assert not content
        return None
    assert answer.headers["Content-Type"].partition(";")[0] == media
    assert content
    return answer.json() if media == JSON else content


def ids_in(value: Any, known_ids: Mapping[str, str], at: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the value of each sample id in a body."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    elif isinstance(value, str) and value in known_ids:
        yield ".".join(at), value
    for key, part in inner:
        yield from ids_in(part, known_ids, (*at, str(key)))


def replace_at(value: Any, at: str, given: str) -> Any:
    """Return a copy of a body with another value at a dotted path."""
    if not at:
        return given
    first, _, rest = at.partition(".")
    if isinstance(value, list):
        return [replace_at(v, rest, given) if str(n) == first else v for n, v in enumerate(value)]
    return {k: replace_at(v, rest, given) if k == first else v for k, v in value.items()}


@contextmanager
def nothing_changes(samples: Samples, *hosts: SampleHost) -> Iterator[None]:
    """Assert that no row differs from the start of the module, not even in a time stamp; by default on all hosts.

    The digests from before the first test can be used, because every test is rolled back.
    """
    yield
    assert_unchanged(samples.before, table_digests(hosts or samples))


@contextmanager
def nothing_changes_from_here(samples: Samples) -> Iterator[None]:
    """Assert that the block changes no row on any host. For tests that have changed rows themselves before."""
    before = table_digests(samples)
    yield
    assert_unchanged(before, table_digests(samples))


def assert_unchanged(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    changed = [table for table, digest in after.items() if before[table] != digest]
    assert not changed, f"the refused request changed {changed}"


def table_digests(samples: Iterable[SampleHost]) -> dict[str, str]:
    """Return "host: table" → a digest of the rows. One statement for each host."""
    found = {}
    for sample in samples:
        with sample.scope_context(), connection.cursor() as cursor:
            cursor.execute(digest_sql(is_dojo=sample.scope is not None))
            found |= {f"{sample.host}: {table}": digest for table, digest in cursor.fetchall()}
    return found


@cache
def digest_sql(*, is_dojo: bool) -> str:
    names = settings.TENANT_APPS if is_dojo else ("shared_apps.accounts", "shared_apps.tenants")
    labels = [config.label for config in apps.get_app_configs() if config.name in names]
    tables = [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in labels
    ]
    return " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(r::text, '' ORDER BY r::text), '')) FROM {table} r"
        for table in tables
    )


# --- the expected table ----------------------------------------------------------------------------------------------


@every_case
def test_every_route_has_a_row_in_the_expected_table(case: Case) -> None:
    assert row_of(case).admin


@case_with_ids
def test_every_path_parameter_has_a_sample_id(case: Case) -> None:
    assert len(expected_access.IDS_IN_PATHS[case[1]]) == case[1].count("{}")


# --- own dojo -----------------------------------------------------------------------------------------------


GUARDED = [case for case in cases() if not row_if_any(case).public]


def roles(case: Case) -> tuple[str, ...]:
    """Return the roles of a host: the platform has superadmins only, a dojo has devices too."""
    return ("admin",) if is_platform(case) else (*ROLES, DEVICE)


@pytest.mark.parametrize(
    ("case", "role"),
    [pytest.param(case, role, id=f"{case_name(case)}-{role}") for case in GUARDED for role in roles(case)],
)
def test_each_role_gets_the_expected_status(samples: Samples, case: Case, role: str) -> None:
    sample, row = own_host(samples, case), row_of(case)
    path, body, status = path_for(case, sample, role), body_for(case, sample, role), row.status_for(role)
    if status == expected_access.NO:
        with nothing_changes(samples):
            assert_error(send_case(sample.callers[role], case, path, body), 403, "permission_denied")
        return
    answer = succeeded(send_case(sample.callers[role], case, path, body), status, row.media)
    if case[1:] in {(f"/{what}/import", "POST") for what in ("students", "rank-events", "facts")}:
        assert (answer["created"], answer["failed"]) == (1, 0), answer
    if case[1:] == ("/attendance/sync", "POST"):
        assert [one["status"] for one in answer["results"]] == ["recorded"], answer
    if case[1:] == ("/tenants", "POST"):
        SCHEMAS_TO_DROP.append(answer["schema_name"])


KEY_ROLES = ROLES[:3]


@pytest.mark.parametrize(
    ("case", "role"),
    [
        pytest.param(case, role, id=f"{case_name(case)}-key-of-{role}")
        for case in GUARDED
        for role in (("admin",) if is_platform(case) else KEY_ROLES)
    ],
)
def test_an_api_key_gets_the_status_of_its_role(samples: Samples, case: Case, role: str) -> None:
    sample, row = own_host(samples, case), row_of(case)
    path, body, status = path_for(case, sample, role), body_for(case, sample, role), row.status_for(role)
    caller = sample.callers[f"{KEY} of {role}"]
    if status == expected_access.NO or not row.with_key:
        with nothing_changes(samples):
            assert_error(send_case(caller, case, path, body), 403, "permission_denied")
        return
    if role == "assistant" and case[1] == "/attendance/{}/void":
        # The assistant recorded it, the key did not.
        assert_error(send_case(caller, case, path, body), 403, "permission_denied")
        return
    if role == "instructor" and case[1] == "/students/{}/notes/{}" and case[2] != "GET":
        assert_error(send_case(caller, case, path, body), 403, "permission_denied")
        return
    answer = succeeded(send_case(caller, case, path, body), status, row.media)
    if case[1:] == ("/tenants", "POST"):
        SCHEMAS_TO_DROP.append(answer["schema_name"])


@guarded_case
def test_a_read_only_api_key_changes_nothing(samples: Samples, case: Case) -> None:
    sample, row = own_host(samples, case), row_of(case)
    caller = sample.callers[READ_ONLY_KEY]
    path, body = path_for(case, sample, "admin"), body_for(case, sample, "admin")
    if row.with_key and (case[2] == "GET" or row.with_read_only_key):
        succeeded(send_case(caller, case, path, body), row.admin, row.media)
        return
    with nothing_changes(samples):
        assert_error(send_case(caller, case, path, body), 403, "permission_denied")


@guarded_case
def test_an_api_key_of_another_dojo_is_refused(samples: Samples, case: Case) -> None:
    sample, elsewhere = own_host(samples, case), other_host(samples, case)
    caller = Caller(sample.host, token=elsewhere.callers[f"{KEY} of admin"].token)
    with nothing_changes(samples):
        answer = send_case(caller, case, path_for(case, sample, "admin"), body_for(case, sample, "admin"))
        assert_error(answer, 401, "token_invalid")


@pytest.mark.parametrize("case", [case for case in cases() if row_if_any(case).public], ids=case_name)
def test_a_public_route_needs_no_token(samples: Samples, case: Case) -> None:
    sample, row = own_host(samples, case), row_of(case)
    path, body = path_for(case, sample, "admin"), body_for(case, sample, "admin")
    succeeded(send_case(Caller(sample.host), case, path, body), row.admin, row.media)


@pytest.mark.parametrize("case", [case for case in cases() if row_if_any(case).public], ids=case_name)
def test_a_public_route_ignores_an_invalid_token(samples: Samples, case: Case) -> None:
    sample, row = own_host(samples, case), row_of(case)
    path, body = path_for(case, sample, "admin"), body_for(case, sample, "admin")
    succeeded(send_case(Caller(sample.host, token="stale"), case, path, body), row.admin, row.media)


# --- no token, another dojo's token -------------------------------------------------------------------------


@guarded_case
def test_a_request_without_a_token_is_not_authenticated(samples: Samples, case: Case) -> None:
    sample = own_host(samples, case)
    with nothing_changes(samples):
        answer = send_case(
            Caller(sample.host), case, path_for(case, sample, "admin"), body_for(case, sample, "admin")
        )
        assert_error(answer, 401, "not_authenticated")


@pytest.mark.parametrize(
    ("case", "whose"),
    [
        pytest.param(case, whose, id=f"{case_name(case)}-{whose}")
        for case in GUARDED
        for whose in ("platform", "dojo", "other_dojo")
        if whose != ("platform" if is_platform(case) else "dojo")
    ],
)
def test_a_token_of_another_host_is_refused(samples: Samples, case: Case, whose: str) -> None:
    sample, elsewhere = own_host(samples, case), getattr(samples, whose)
    caller = Caller(sample.host, token=elsewhere.callers["admin"].token)
    with nothing_changes(samples):
        answer = send_case(caller, case, path_for(case, sample, "admin"), body_for(case, sample, "admin"))
        assert_error(answer, 401, "token_invalid")


@guarded_case
def test_a_device_of_another_dojo_is_refused(samples: Samples, case: Case) -> None:
    sample = own_host(samples, case)
    caller = Caller(sample.host, token=samples.other_dojo.callers[DEVICE].token)
    with nothing_changes(samples):
        answer = send_case(caller, case, path_for(case, sample, "admin"), body_for(case, sample, "admin"))
        assert_error(answer, 401, "token_invalid")


# --- another dojo's objects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["another dojo's", "no dojo's"])
@case_with_ids
def test_a_foreign_or_unknown_id_in_the_path_is_not_found(samples: Samples, case: Case, whose: str) -> None:
    sample, elsewhere = own_host(samples, case), other_host(samples, case)
    known_names = expected_access.IDS_IN_PATHS[case[1]]
    for place, name in enumerate(known_names):
        is_known = name in {*elsewhere.ids, *elsewhere.codes} - expected_access.IN_EVERY_DOJO
        theirs = elsewhere.id_for(name if is_known else "user", "admin")
        foreign_id = factories.unknown_id() if whose == "no dojo's" else theirs
        given = [
            foreign_id if at == place else sample.id_for(of, "admin") for at, of in enumerate(known_names)
        ]
        with nothing_changes(samples):
            answer = send_case(
                sample.callers["admin"], case, case[1].format(*given), body_for(case, sample, "admin")
            )
            if case[1] == "/certificates/{}":
                assert ok(answer)["status"] == "unknown", (
                    "the public certificate check answers for unknown codes too"
                )
            else:
                assert_error(answer, 404, "not_found")


@pytest.mark.parametrize("whose", ["another dojo's", "no dojo's"])
@case_with_body_ids
def test_a_foreign_or_unknown_id_in_the_body_is_reported_at_its_field(
    samples: Samples, case: Case, whose: str
) -> None:
    sample, elsewhere = own_host(samples, case), other_host(samples, case)
    body = body_for(case, sample, "admin")
    assert body is not None
    by_id = {value: name for name, value in sample.ids.items()}
    is_scan = case[1] in {"/attendance/scan", "/attendance/sync"}
    for field, given in ids_in(body, by_id):
        foreign_id = factories.unknown_id() if whose == "no dojo's" else elsewhere.ids[by_id[given]]
        changed = replace_at(body, field, foreign_id)
        with nullcontext() if is_scan else nothing_changes(samples):
            answer = send_case(sample.callers["admin"], case, path_for(case, sample, "admin"), changed)
            if case[1] == "/attendance/scan":  # a refusal with its own code; it is stored
                assert_error(answer, 404, "class_session_not_found")
            elif is_scan:
                (result,) = ok(answer)["results"]
                assert (result["status"], result["code"]) == ("refused", "class_session_not_found")
            else:
                assert list(assert_error(answer, 400, "validation_error")) == [field]


def test_the_code_of_a_student_of_another_dojo_is_invalid(samples: Samples) -> None:
    with nothing_changes(samples):
        answer = samples.dojo.callers["admin"].post(
            "/attendance/scan", {"token": samples.other_dojo.codes["student"]}
        )
        assert_error(answer, 400, "qr_invalid")


def test_the_feed_of_another_dojo_is_not_found(samples: Samples) -> None:
    for token in (samples.other_dojo.codes["feed"], factories.unknown_id(), ""):
        answer = Caller(samples.dojo.host).get(f"/calendar.ics?token={token}")
        assert_error(answer, 404, "not_found")


def test_a_pairing_code_of_another_dojo_pairs_nothing(samples: Samples) -> None:
    with nothing_changes(samples, samples.other_dojo):
        body = {"code": samples.other_dojo.codes["pairing"]}
        assert Caller(samples.dojo.host).post("/devices/pairing", body).status_code == 400


# --- own data only ----------------------------------------------------------------------------------------------


@own_case
def test_a_student_sees_only_their_own_data(samples: Samples, case: Case) -> None:
    """Another student in a path is 404, in a body a validation error; lists have own rows only."""
    sample = samples.dojo
    caller, other_student = sample.callers["student"], sample.ids["student of the other family"]
    path, body = path_for(case, sample, "student"), body_for(case, sample, "student")
    theirs = path_for(case, sample, "the other family")
    if theirs != path:
        with nothing_changes(samples):
            assert_error(send_case(caller, case, theirs, body), 404, "not_found")
    elif case[2] == "GET":
        rows = ok(send_case(caller, case, path, None))["results"]
        everything = ok(send_case(sample.callers["admin"], case, path_for(case, sample, "admin"), None))[
            "results"
        ]
        assert rows, "the own rows are missing"
        assert len(rows) < len(everything), "the sample data have no rows of another student"
        if case[1] == "/students":
            assert [row["id"] for row in rows] == [sample.ids["student"]]
        elif case[1] == "/guardians":
            assert [row["name"] for row in rows] == ["Hana Sato"]
        elif case[1] == "/exams":
            assert {row["id"] for row in rows} == {sample.ids["exam"], sample.ids["finished exam"]}
        else:
            assert {row["student"]["id"] for row in rows} == {sample.ids["student"]}
    elif case[1] == "/attendance/scan":
        body = {"token": sample.codes["session"], "student": other_student}
        assert_error(caller.post(case[1], body), 400, "validation_error")
        assert_error(caller.post(case[1], {"token": sample.codes["student"]}), 403, "permission_denied")
    else:
        field = "students" if case[1] == "/promotions/check" else "student"
        assert isinstance(body, dict)
        body = {**body, field: [other_student] if field == "students" else other_student}
        with nothing_changes(samples):
            details = assert_error(send_case(caller, case, case[1], body), 400, "validation_error")
        assert list(details) == [f"{field}.0" if field == "students" else field]


def test_a_student_cannot_create_the_code_of_a_session(samples: Samples) -> None:
    sample = samples.dojo
    answer = sample.callers["student"].post("/qr", {"class_session": sample.ids["session"]})
    assert_error(answer, 403, "permission_denied")


def test_a_device_cannot_create_the_code_of_a_student(samples: Samples) -> None:
    sample = samples.dojo
    with nothing_changes(samples):
        answer = sample.callers[DEVICE].post("/qr", {"student": sample.ids["student"]})
        assert_error(answer, 403, "permission_denied")


def test_a_device_sees_only_sessions_of_today(samples: Samples) -> None:
    sample = samples.dojo
    every = "/class-sessions?from=2026-06-01&to=2026-06-30"
    shown = ok(sample.callers[DEVICE].get(every))["results"]
    assert {row["local_date"] for row in shown} == {"2026-06-15"}
    others = [
        row["id"]
        for row in ok(sample.callers["admin"].get(every))["results"]
        if row["local_date"] != "2026-06-15"
    ]
    assert others
    for other in others:
        assert_error(sample.callers[DEVICE].get(f"/class-sessions/{other}"), 404, "not_found")


@pytest.mark.parametrize("role", [*ROLES, DEVICE])
def test_only_staff_see_the_roster(samples: Samples, role: str) -> None:
    sample = samples.dojo
    session = ok(sample.callers[role].get(f"/class-sessions/{sample.ids['session']}"))
    assert bool(session.get("roster")) == (role not in {"student", DEVICE})


def test_a_deleted_device_is_refused_at_once(samples: Samples) -> None:
    sample = samples.dojo
    ok(sample.callers["admin"].delete(f"/devices/{sample.ids['device']}"), 204)
    assert_error(sample.callers[DEVICE].get("/me"), 401, "token_invalid")


def test_a_new_feed_address_replaces_the_old_one(samples: Samples) -> None:
    sample = samples.dojo
    anybody, old = Caller(sample.host), f"/calendar.ics?token={sample.codes['feed']}"
    new = ok(sample.callers["admin"].post("/me/calendar"), 201)["url"]
    assert_error(anybody.get(old), 404, "not_found")
    assert anybody.get(url_path(new)).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_instructor_changes_only_their_own_notes(samples: Samples, method: str) -> None:
    sample = samples.dojo
    path = f"/students/{sample.ids['student']}/notes/{sample.ids['note of admin']}"
    body = {"text": "Both knees"} if method == "PATCH" else None
    with nothing_changes(samples):
        assert_error(sample.callers["instructor"].request(method, path, body), 403, "permission_denied")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_admin_changes_the_notes_of_others(samples: Samples, method: str) -> None:
    sample = samples.dojo
    path = f"/students/{sample.ids['student']}/notes/{sample.ids['note of instructor']}"
    body = {"text": "Both knees"} if method == "PATCH" else None
    assert sample.callers["admin"].request(method, path, body).status_code in {200, 204}


def test_an_assistant_voids_only_attendance_that_they_recorded(samples: Samples) -> None:
    sample = samples.dojo
    path = f"/attendance/{sample.ids['attendance of instructor']}/void"
    with nothing_changes(samples):
        assert_error(
            sample.callers["assistant"].post(path, {"reason": "Not there."}), 403, "permission_denied"
        )


def test_an_assistant_voids_only_on_the_same_day(samples: Samples) -> None:
    sample = samples.dojo
    path = f"/attendance/{sample.ids['attendance of assistant']}/void"
    tomorrow = NOW.replace(day=16, hour=0)
    with clock.fixed(tomorrow):
        caller = Caller(sample.host, token=fresh_token(sample, "assistant"))
        with nothing_changes_from_here(samples):
            assert_error(caller.post(path, {"reason": "Not there."}), 403, "permission_denied")


def fresh_token(sample: SampleHost, role: str) -> str:
    from shared_apps.accounts.sessions import open_session

    user = sample.callers[role].user
    assert user is not None
    with sample.scope_context():
        return open_session(user, now=clock.now()).access


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_assistant_cannot_write_medical_notes(samples: Samples, method: str) -> None:
    sample = samples.dojo
    path = "/students" if method == "POST" else f"/students/{sample.ids['student']}"
    body = {"medical_notes": "Asthma", **({"first_name": "A", "last_name": "B"} if method == "POST" else {})}
    with nothing_changes(samples):
        assert_error(sample.callers["assistant"].request(method, path, body), 403, "permission_denied")


def test_staff_and_the_student_read_medical_notes(samples: Samples) -> None:
    sample = samples.dojo
    path = f"/students/{sample.ids['student']}"
    ok(sample.callers["instructor"].patch(path, {"medical_notes": "Asthma"}))
    for role in ROLES:
        assert ok(sample.callers[role].get(path))["medical_notes"] == "Asthma"


def test_an_assistant_cannot_restore_an_archived_student(samples: Samples) -> None:
    sample = samples.dojo
    path = f"/students/{sample.ids['student']}"
    ok(sample.callers["admin"].delete(path), 204)
    with nothing_changes_from_here(samples):
        assert_error(sample.callers["assistant"].patch(path, {"archived": False}), 403, "permission_denied")


def test_an_instructor_cannot_change_their_own_rank_history(samples: Samples) -> None:
    sample = samples.dojo
    instructor = sample.callers["instructor"].user
    assert instructor is not None
    linked = {"students": [sample.ids["student"]]}
    ok(sample.callers["admin"].patch(f"/users/{instructor.pk}", linked))
    event = {"rank": sample.ids["rank"], "kind": "import", "effective_on": "2026-02-02"}
    path = f"/students/{sample.ids['student']}/rank-events"
    with nothing_changes_from_here(samples):
        assert_error(sample.callers["instructor"].post(path, event), 403, "permission_denied")
        path = f"/rank-events/{sample.ids['rank event']}/void"
        assert_error(sample.callers["instructor"].post(path, {"reason": "Mine."}), 403, "permission_denied")


@pytest.mark.parametrize("role", ["instructor", "assistant"])
def test_colleagues_see_only_name_and_role_of_active_staff(samples: Samples, role: str) -> None:
    sample = samples.dojo
    retired = sample.callers["instructor" if role == "assistant" else "assistant"].user
    assert retired is not None
    ok(sample.callers["admin"].patch(f"/users/{retired.pk}", {"is_active": False}))
    rows = ok(sample.callers[role].get("/users"))["results"]
    assert all(set(row) == {"id", "name", "role"} for row in rows)
    assert "student" not in {row["role"] for row in rows}
    assert str(retired.pk) not in {row["id"] for row in rows}


@pytest.mark.parametrize("change", [{"role": "student"}, {"is_active": False}])
def test_a_change_of_a_user_takes_effect_on_their_next_request(
    samples: Samples, change: dict[str, Any]
) -> None:
    sample = samples.dojo
    instructor = sample.callers["instructor"]
    assert instructor.user is not None
    ok(instructor.get("/settings"))
    ok(sample.callers["admin"].patch(f"/users/{instructor.user.pk}", change))
    if "role" in change:
        assert_error(instructor.get("/settings"), 403, "permission_denied")
    else:
        assert_error(instructor.get("/settings"), 401, "token_invalid")


def test_every_sample_id_is_a_uuid(samples: Samples) -> None:
    """With an invalid sample id the tests above would pass for the wrong reason."""
    for sample in samples:
        assert all(UUID(value) for value in sample.ids.values())
