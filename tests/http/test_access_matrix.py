"""Every route × method × role × {own dojo, another's token, another's ids, no token}: the contract's answer.

The cases are generated from the two URL tables; what is expected comes from `matrix`, our own reading of CONTRACT.md.
The world is made once, and each case runs in a savepoint that is rolled back.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from shared_apps.tenants import schemas
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.api.routes import routes
from tatami.tenancy.scope import platform_scope
from tests.http import expected_access
from tests.http.expected_access import JSON, OWN, Row, Upload
from tests.http.sample_dojos import DEVICE, ROLES, World, dojo_world, hashed, platform_world
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import REQUEST_ID, done, path_of, refusal

Case = tuple[str, str, str]
"""urlconf, path with {} for ids, method"""


def cases() -> list[Case]:
    found = [
        (urlconf, "/" + re.sub(r"<[^>]+>", "{}", route.path), method)
        for urlconf in expected_access.TABLES
        for route in routes(urlconf)
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


def named(case: Case) -> str:
    return f"{'platform' if 'platform' in case[0] else 'dojo'}-{case[2]}-{case[1]}"


def known(case: Case) -> Row:
    """Return the row, an empty one for a route without: the tests of the table itself tell about that."""
    return expected_access.TABLES[case[0]].get(case[1], {}).get(case[2]) or Row(200)


every_case = pytest.mark.parametrize("case", cases(), ids=named)
guarded_case = pytest.mark.parametrize(
    "case", [case for case in cases() if not known(case).public], ids=named
)
case_with_ids = pytest.mark.parametrize("case", [case for case in cases() if "{}" in case[1]], ids=named)
case_with_body_ids = pytest.mark.parametrize(
    "case",
    [case for case in cases() if "urls_tenant" in case[0] and known(case).body and not known(case).public],
    ids=named,
)
own_case = pytest.mark.parametrize(
    "case", [case for case in cases() if known(case).student == OWN], ids=named
)


# --- the world ----------------------------------------------------------------------------------------------


LEFT_BEHIND: list[str] = []
"""Schemas that the owner login has committed. Dropped when our transaction, which has read them, is over."""


@contextmanager
def undone() -> Iterator[None]:
    """Undo all that happens in the block. Like a test case's own transaction, dojos may take turns inside it."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


@contextmanager
def left_behind_dropped() -> Iterator[None]:
    yield
    while LEFT_BEHIND:
        schemas.drop_schema(LEFT_BEHIND.pop())


@pytest.fixture(scope="module")
def all_worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, World]]:
    """Make both dojos' and the platform's world once, in a transaction that is rolled back in the end."""
    with django_db_blocker.unblock(), clock.fixed(NOW), left_behind_dropped(), undone():
        with platform_scope():
            scopes = {
                t.slug: t.scope
                for t in Tenant.objects.with_primary_domain().filter(slug__in=["aiki", "kendo"])
            }
        password_hash = hashed()
        yield {
            "platform": platform_world(Platform(), password_hash),
            "dojo": dojo_world(Dojo(scopes["aiki"]), password_hash),
            "other": dojo_world(Dojo(scopes["kendo"]), password_hash),
        }


@pytest.fixture
def worlds(all_worlds: dict[str, World], now: Any) -> Iterator[dict[str, World]]:
    """The worlds; what a test does to them is undone."""
    with undone():
        yield all_worlds


def home(worlds: dict[str, World], case: Case) -> World:
    return worlds["platform" if "platform" in case[0] else "dojo"]


def foreign(worlds: dict[str, World], case: Case) -> World:
    return worlds["dojo" if "platform" in case[0] else "other"]


def path_for(case: Case, world: World, role: str) -> str:
    query = known(case).query
    path = case[1].format(
        *(world.id_for(name, role) for name in expected_access.NAMED_IN_PATHS.get(case[1], ()))
    )
    return path + (query(world) if query else "")


def body_for(case: Case, world: World, role: str) -> dict[str, Any] | Upload | None:
    row = row_of(case)
    return row.body(world, role) if row.body else row.upload


def ask(caller: Caller, case: Case, path: str, body: Any) -> Any:
    if not isinstance(body, Upload):
        return caller.request(case[2], path, body)
    headers = {"Host": caller.host, **({"Authorization": f"Bearer {caller.token}"} if caller.token else {})}
    file = SimpleUploadedFile("people.csv", body.text.encode(), "text/csv")
    return caller.client.post(path, {"file": file}, headers=headers)


def succeeded(answer: Any, status: int, media: str) -> Any:
    """Assert the status and the type of an answer; return what its JSON says, else its bytes, None if it is empty."""
    content = answer.getvalue()  # of a stream as well
    assert answer.status_code == status, (answer.status_code, content)
    assert REQUEST_ID.fullmatch(answer.headers["X-Request-ID"])
    if status == 204:
        assert not content
        return None
    assert answer.headers["Content-Type"].partition(";")[0] == media
    assert content
    return answer.json() if media == JSON else content


def ids_in(value: Any, known_ids: Mapping[str, str], at: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the id of everything in a body that is an id of the world."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    elif isinstance(value, str) and value in known_ids:
        yield ".".join(at), value
    for key, part in inner:
        yield from ids_in(part, known_ids, (*at, str(key)))


def with_other(value: Any, at: str, given: str) -> Any:
    """Return a body in which something else stands at a dotted path."""
    if not at:
        return given
    first, _, rest = at.partition(".")
    if isinstance(value, list):
        return [with_other(v, rest, given) if str(n) == first else v for n, v in enumerate(value)]
    return {k: with_other(v, rest, given) if k == first else v for k, v in value.items()}


class Unchanged:
    """Asserts that nothing was written in any of the worlds, not even a time stamp."""

    def __init__(self, *worlds: World) -> None:
        self.worlds = worlds

    def __enter__(self) -> None:
        self.before = self.content()

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            after = self.content()
            changed = [table for table, digest in after.items() if self.before[table] != digest]
            assert not changed, f"the refused request changed {changed}"

    def content(self) -> dict[str, str]:
        return {
            f"{world.host}: {table}": digest
            for world in self.worlds
            for table, digest in digests(world).items()
        }


def digests(world: World) -> dict[str, str]:
    """Return a digest of every table of a host. One statement."""
    names = settings.TENANT_APPS if world.scope else ("shared_apps.accounts", "shared_apps.tenants")
    labels = [config.label for config in apps.get_app_configs() if config.name in names]
    tables = [
        m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.app_label in labels
    ]
    each = (
        f"SELECT '{t}', md5(coalesce(string_agg(r::text, '' ORDER BY r::text), '')) FROM {t} r"
        for t in tables
    )
    with world.entering(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(each))
        return dict(cursor.fetchall())


# --- the table ----------------------------------------------------------------------------------------------


@every_case
def test_every_route_stands_in_the_table(case: Case) -> None:
    assert row_of(case).admin


@case_with_ids
def test_every_id_in_a_path_is_known_to_the_world(case: Case) -> None:
    assert len(expected_access.NAMED_IN_PATHS[case[1]]) == case[1].count("{}")


# --- own dojo -----------------------------------------------------------------------------------------------


GUARDED = [case for case in cases() if not known(case).public]


def roles(case: Case) -> tuple[str, ...]:
    """Return the roles there are: the platform has superadmins only, a dojo devices too."""
    return ("admin",) if "platform" in case[0] else (*ROLES, DEVICE)


@pytest.mark.parametrize(
    ("case", "role"),
    [pytest.param(case, role, id=f"{named(case)}-{role}") for case in GUARDED for role in roles(case)],
)
def test_a_role_may_what_the_contract_says(worlds: dict[str, World], case: Case, role: str) -> None:
    world, row = home(worlds, case), row_of(case)
    path, body, wanted = path_for(case, world, role), body_for(case, world, role), row.status_for(role)
    if wanted == expected_access.NO:
        with Unchanged(*worlds.values()):
            refusal(ask(world.callers[role], case, path, body), 403, "permission_denied")
        return
    answer = succeeded(ask(world.callers[role], case, path, body), wanted, row.media)
    if case[1:] in {(f"/{what}/import", "POST") for what in ("students", "rank-events", "facts")}:
        assert (answer["created"], answer["failed"]) == (1, 0), answer
    if case[1:] == ("/attendance/sync", "POST"):
        assert [one["status"] for one in answer["results"]] == ["recorded"], answer
    if case[1:] == ("/tenants", "POST"):
        LEFT_BEHIND.append(answer["schema_name"])


@pytest.mark.parametrize("case", [case for case in cases() if known(case).public], ids=named)
def test_a_public_route_asks_nobody_to_log_in(worlds: dict[str, World], case: Case) -> None:
    world, row = home(worlds, case), row_of(case)
    path, body = path_for(case, world, "admin"), body_for(case, world, "admin")
    succeeded(ask(Caller(world.host), case, path, body), row.admin, row.media)


@pytest.mark.parametrize("case", [case for case in cases() if known(case).public], ids=named)
def test_a_public_route_does_not_mind_a_stale_token(worlds: dict[str, World], case: Case) -> None:
    world, row = home(worlds, case), row_of(case)
    path, body = path_for(case, world, "admin"), body_for(case, world, "admin")
    succeeded(ask(Caller(world.host, token="stale"), case, path, body), row.admin, row.media)


# --- no token, another dojo's token -------------------------------------------------------------------------


@guarded_case
def test_without_a_token_one_is_asked_to_log_in(worlds: dict[str, World], case: Case) -> None:
    world = home(worlds, case)
    with Unchanged(*worlds.values()):
        answer = ask(Caller(world.host), case, path_for(case, world, "admin"), body_for(case, world, "admin"))
        refusal(answer, 401, "not_authenticated")


@pytest.mark.parametrize(
    ("case", "whose"),
    [
        pytest.param(case, whose, id=f"{named(case)}-{whose}")
        for case in GUARDED
        for whose in ("platform", "dojo", "other")
        if whose != ("platform" if "platform" in case[0] else "dojo")
    ],
)
def test_a_token_of_another_host_is_not_valid_here(worlds: dict[str, World], case: Case, whose: str) -> None:
    world, elsewhere = home(worlds, case), worlds[whose]
    caller = Caller(world.host, token=elsewhere.callers["admin"].token)
    with Unchanged(*worlds.values()):
        answer = ask(caller, case, path_for(case, world, "admin"), body_for(case, world, "admin"))
        refusal(answer, 401, "token_invalid")


@guarded_case
def test_another_dojos_device_is_not_known_here(worlds: dict[str, World], case: Case) -> None:
    world = home(worlds, case)
    caller = Caller(world.host, token=worlds["other"].callers[DEVICE].token)
    with Unchanged(*worlds.values()):
        answer = ask(caller, case, path_for(case, world, "admin"), body_for(case, world, "admin"))
        refusal(answer, 401, "token_invalid")


# --- another dojo's objects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["another dojo's", "nobody's"])
@case_with_ids
def test_an_id_in_the_path_that_is_not_the_dojos_is_not_found(
    worlds: dict[str, World], case: Case, whose: str
) -> None:
    world, elsewhere = home(worlds, case), foreign(worlds, case)
    known_names = expected_access.NAMED_IN_PATHS[case[1]]
    for place, name in enumerate(known_names):
        is_known = name in {*elsewhere.ids, *elsewhere.codes} - expected_access.IN_EVERY_DOJO
        theirs = elsewhere.id_for(name if is_known else "user", "admin")
        stranger = factories.nobody() if whose == "nobody's" else theirs
        given = [stranger if at == place else world.id_for(of, "admin") for at, of in enumerate(known_names)]
        with Unchanged(*worlds.values()):
            answer = ask(world.callers["admin"], case, case[1].format(*given), body_for(case, world, "admin"))
            if case[1] == "/certificates/{}":
                assert done(answer)["status"] == "unknown", "which is what it is asked for"
            else:
                refusal(answer, 404, "not_found")


@pytest.mark.parametrize("whose", ["another dojo's", "nobody's"])
@case_with_body_ids
def test_an_id_in_the_body_that_is_not_the_dojos_is_named(
    worlds: dict[str, World], case: Case, whose: str
) -> None:
    world, elsewhere = home(worlds, case), foreign(worlds, case)
    body = body_for(case, world, "admin")
    assert body is not None
    by_id = {value: name for name, value in world.ids.items()}
    is_scan = case[1] in {"/attendance/scan", "/attendance/sync"}
    for field, given in ids_in(body, by_id):
        stranger = factories.nobody() if whose == "nobody's" else elsewhere.ids[by_id[given]]
        changed = with_other(body, field, stranger)
        with Unchanged(*(w for w in worlds.values() if not is_scan)):
            answer = ask(world.callers["admin"], case, path_for(case, world, "admin"), changed)
            if case[1] == "/attendance/scan":  # a refusal with a name of its own, and it is kept
                refusal(answer, 404, "class_session_not_found")
            elif is_scan:
                (result,) = done(answer)["results"]
                assert (result["status"], result["code"]) == ("refused", "class_session_not_found")
            else:
                assert list(refusal(answer, 400, "validation_error")) == [field]


def test_the_code_of_another_dojos_student_is_not_valid(worlds: dict[str, World]) -> None:
    with Unchanged(*worlds.values()):
        answer = (
            worlds["dojo"]
            .callers["admin"]
            .post("/attendance/scan", {"token": worlds["other"].codes["student"]})
        )
        refusal(answer, 400, "qr_invalid")


def test_the_feed_of_another_dojo_is_not_found(worlds: dict[str, World]) -> None:
    for token in (worlds["other"].codes["feed"], factories.nobody(), ""):
        answer = Caller(worlds["dojo"].host).get(f"/calendar.ics?token={token}")
        refusal(answer, 404, "not_found")


def test_a_pairing_code_of_another_dojo_pairs_nothing(worlds: dict[str, World]) -> None:
    with Unchanged(worlds["other"]):
        body = {"code": worlds["other"].codes["pairing"]}
        assert Caller(worlds["dojo"].host).post("/devices/pairing", body).status_code == 400


# --- one's own ----------------------------------------------------------------------------------------------


@own_case
def test_a_student_sees_only_his_own(worlds: dict[str, World], case: Case) -> None:
    """Paths that name somebody else are 404, bodies that do are refused, lists hold his own rows only."""
    world = worlds["dojo"]
    caller, somebody = world.callers["student"], world.ids["student of somebody else"]
    path, body = path_for(case, world, "student"), body_for(case, world, "student")
    theirs = path_for(case, world, "somebody else")
    if theirs != path:
        with Unchanged(world):
            refusal(ask(caller, case, theirs, body), 404, "not_found")
    elif case[2] == "GET":
        rows = done(ask(caller, case, path, None))["results"]
        everything = done(ask(world.callers["admin"], case, path_for(case, world, "admin"), None))["results"]
        assert rows, "his own rows are there"
        assert len(rows) < len(everything), "somebody else's rows are there to be hidden"
        if case[1] == "/students":
            assert [row["id"] for row in rows] == [world.ids["student"]]
        elif case[1] == "/guardians":
            assert [row["name"] for row in rows] == ["Hana Sato"]
        elif case[1] == "/exams":
            assert {row["id"] for row in rows} == {world.ids["exam"], world.ids["finished exam"]}
        else:
            assert {row["student"]["id"] for row in rows} == {world.ids["student"]}
    elif case[1] == "/attendance/scan":
        body = {"token": world.codes["session"], "student": somebody}
        refusal(caller.post(case[1], body), 400, "validation_error")
        refusal(caller.post(case[1], {"token": world.codes["student"]}), 403, "permission_denied")
    else:
        field = "students" if case[1] == "/promotions/check" else "student"
        assert isinstance(body, dict)
        body = {**body, field: [somebody] if field == "students" else somebody}
        with Unchanged(world):
            details = refusal(ask(caller, case, case[1], body), 400, "validation_error")
        assert list(details) == [f"{field}.0" if field == "students" else field]


def test_a_student_makes_no_code_of_a_session(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    answer = world.callers["student"].post("/qr", {"class_session": world.ids["session"]})
    refusal(answer, 403, "permission_denied")


def test_a_device_makes_no_code_of_a_student(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    with Unchanged(world):
        answer = world.callers[DEVICE].post("/qr", {"student": world.ids["student"]})
        refusal(answer, 403, "permission_denied")


def test_a_device_sees_todays_sessions_only(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    every = "/class-sessions?from=2026-06-01&to=2026-06-30"
    shown = done(world.callers[DEVICE].get(every))["results"]
    assert {row["local_date"] for row in shown} == {"2026-06-15"}
    others = [
        row["id"]
        for row in done(world.callers["admin"].get(every))["results"]
        if row["local_date"] != "2026-06-15"
    ]
    assert others
    for other in others:
        refusal(world.callers[DEVICE].get(f"/class-sessions/{other}"), 404, "not_found")


@pytest.mark.parametrize("role", [*ROLES, DEVICE])
def test_the_roster_is_for_staff(worlds: dict[str, World], role: str) -> None:
    world = worlds["dojo"]
    session = done(world.callers[role].get(f"/class-sessions/{world.ids['session']}"))
    assert bool(session.get("roster")) == (role not in {"student", DEVICE})


def test_whoever_revokes_a_device_silences_it_at_once(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    done(world.callers["admin"].delete(f"/devices/{world.ids['device']}"), 204)
    refusal(world.callers[DEVICE].get("/me"), 401, "token_invalid")


def test_a_new_feed_ends_the_one_before(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    anybody, old = Caller(world.host), f"/calendar.ics?token={world.codes['feed']}"
    new = done(world.callers["admin"].post("/me/calendar"), 201)["url"]
    refusal(anybody.get(old), 404, "not_found")
    assert anybody.get(path_of(new)).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_instructor_changes_only_his_own_notes(worlds: dict[str, World], method: str) -> None:
    world = worlds["dojo"]
    path = f"/students/{world.ids['student']}/notes/{world.ids['note of admin']}"
    body = {"text": "Both knees"} if method == "PATCH" else None
    with Unchanged(world):
        refusal(world.callers["instructor"].request(method, path, body), 403, "permission_denied")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_admin_changes_every_note(worlds: dict[str, World], method: str) -> None:
    world = worlds["dojo"]
    path = f"/students/{world.ids['student']}/notes/{world.ids['note of instructor']}"
    body = {"text": "Both knees"} if method == "PATCH" else None
    assert world.callers["admin"].request(method, path, body).status_code in {200, 204}


def test_an_assistant_voids_only_what_he_recorded(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    path = f"/attendance/{world.ids['attendance of instructor']}/void"
    with Unchanged(world):
        refusal(world.callers["assistant"].post(path, {"reason": "Not there."}), 403, "permission_denied")


def test_an_assistant_voids_only_on_the_same_day(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    path = f"/attendance/{world.ids['attendance of assistant']}/void"
    tomorrow = NOW.replace(day=16, hour=0)
    with clock.fixed(tomorrow):
        caller = Caller(world.host, token=fresh_token(world, "assistant"))
        with Unchanged(world):
            refusal(caller.post(path, {"reason": "Not there."}), 403, "permission_denied")


def fresh_token(world: World, role: str) -> str:
    from shared_apps.accounts.sessions import open_session

    user = world.callers[role].user
    assert user is not None
    with world.entering():
        return open_session(user, now=clock.now()).access


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_assistant_writes_no_medical_notes(worlds: dict[str, World], method: str) -> None:
    world = worlds["dojo"]
    path = "/students" if method == "POST" else f"/students/{world.ids['student']}"
    body = {"medical_notes": "Asthma", **({"first_name": "A", "last_name": "B"} if method == "POST" else {})}
    with Unchanged(world):
        refusal(world.callers["assistant"].request(method, path, body), 403, "permission_denied")


def test_everybody_of_the_staff_reads_medical_notes(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    path = f"/students/{world.ids['student']}"
    done(world.callers["instructor"].patch(path, {"medical_notes": "Asthma"}))
    for role in ROLES:
        assert done(world.callers[role].get(path))["medical_notes"] == "Asthma"


def test_an_assistant_archives_no_student_and_restores_none(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    path = f"/students/{world.ids['student']}"
    done(world.callers["admin"].delete(path), 204)
    with Unchanged(world):
        refusal(world.callers["assistant"].patch(path, {"archived": False}), 403, "permission_denied")


def test_nobody_writes_his_own_rank_history(worlds: dict[str, World]) -> None:
    world = worlds["dojo"]
    instructor = world.callers["instructor"].user
    assert instructor is not None
    linked = {"students": [world.ids["student"]]}
    done(world.callers["admin"].patch(f"/users/{instructor.pk}", linked))
    event = {"rank": world.ids["rank"], "kind": "import", "effective_on": "2026-02-02"}
    path = f"/students/{world.ids['student']}/rank-events"
    with Unchanged(world):
        refusal(world.callers["instructor"].post(path, event), 403, "permission_denied")
        path = f"/rank-events/{world.ids['rank event']}/void"
        refusal(world.callers["instructor"].post(path, {"reason": "Mine."}), 403, "permission_denied")


@pytest.mark.parametrize("role", ["instructor", "assistant"])
def test_colleagues_see_name_and_role_of_active_staff_and_no_more(
    worlds: dict[str, World], role: str
) -> None:
    world = worlds["dojo"]
    retired = world.callers["instructor" if role == "assistant" else "assistant"].user
    assert retired is not None
    done(world.callers["admin"].patch(f"/users/{retired.pk}", {"is_active": False}))
    rows = done(world.callers[role].get("/users"))["results"]
    assert all(set(row) == {"id", "name", "role"} for row in rows)
    assert "student" not in {row["role"] for row in rows}
    assert str(retired.pk) not in {row["id"] for row in rows}


@pytest.mark.parametrize("change", [{"role": "student"}, {"is_active": False}])
def test_a_change_of_a_user_takes_effect_on_his_next_request(
    worlds: dict[str, World], change: dict[str, Any]
) -> None:
    world = worlds["dojo"]
    instructor = world.callers["instructor"]
    assert instructor.user is not None
    done(instructor.get("/settings"))
    done(world.callers["admin"].patch(f"/users/{instructor.user.pk}", change))
    if "role" in change:
        refusal(instructor.get("/settings"), 403, "permission_denied")
    else:
        refusal(instructor.get("/settings"), 401, "token_invalid")


def test_every_id_of_the_worlds_is_an_id(worlds: dict[str, World]) -> None:
    """A world that names nothing would let the tests above pass for the wrong reason."""
    for world in worlds.values():
        assert all(UUID(value) for value in world.ids.values())
