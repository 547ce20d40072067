"""Lists: pages, cursors, search, order, filters; and the number of statements of a list."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo, Platform
from tests.support.responses import assert_error, assert_invalid, ok, url_path
from tests.support.sizes import small_or_full
from tests.support.statements import count_get_statements

pytestmark = pytest.mark.slow


def names(answer: Any) -> list[str]:
    return [row["first_name"] for row in ok(answer)["results"]]


@pytest.fixture
def five(dojo: Dojo) -> list[dict[str, Any]]:
    """Five students, created in no particular order."""
    people = [
        ("Mika", "2020-01-05"),
        ("Älva", "2020-01-03"),
        ("Zoë", "2020-01-01"),
        ("Bo", "2020-01-04"),
        ("Éva", "2020-01-02"),
    ]
    return [factories.student(dojo, first_name=name, joined_on=on) for name, on in people]


def test_a_page_links_to_the_next_and_the_previous_one(dojo: Dojo, five: list[Any]) -> None:
    first = ok(dojo.admin.get("/students?page_size=2"))
    assert set(first) == {"count", "next", "previous", "results"}
    assert (first["count"], first["previous"], len(first["results"])) == (5, None, 2)
    second = ok(dojo.admin.get(url_path(first["next"])))
    last = ok(dojo.admin.get(url_path(second["next"])))
    assert last["next"] is None
    seen = [row["id"] for page in (first, second, last) for row in page["results"]]
    assert sorted(seen) == sorted(one["id"] for one in five)
    assert ok(dojo.admin.get(url_path(last["previous"])))["results"] == second["results"]


def test_an_empty_list_is_a_page(dojo: Dojo) -> None:
    assert ok(dojo.admin.get("/students")) == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=1.5", "page=", "page_size=0", "page_size=x", "page_size=-5"],
)
def test_an_invalid_page_parameter_is_refused(dojo: Dojo, query: str) -> None:
    assert_invalid(dojo.admin.get(f"/students?{query}"), query.partition("=")[0])


def test_a_page_past_the_end_is_not_found(dojo: Dojo) -> None:
    assert_error(dojo.admin.get("/students?page=2"), 404, "not_found")


def test_a_page_has_at_most_two_hundred_rows(dojo: Dojo) -> None:
    from tatami.tenancy.scope import tenant_scope
    from tenant_apps.ranks.models import Discipline

    with tenant_scope(dojo.tenant):
        Discipline.objects.bulk_create(Discipline(name=f"Art {n}") for n in range(205))
    assert len(ok(dojo.admin.get("/disciplines"))["results"]) == 50
    assert len(ok(dojo.admin.get("/disciplines?page_size=200"))["results"]) == 200
    answer = dojo.admin.get("/disciplines?page_size=1000")
    assert answer.status_code in {200, 400}
    assert len(answer.json().get("results", [])) <= 200


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("alva", ["Älva"]),
        ("ÄLVA", ["Älva"]),
        ("eva", ["Éva"]),
        ("zoe", ["Zoë"]),
        ("sato mik", ["Mika"]),
        ("unknown", []),
        ("%", []),
    ],
)
def test_a_search_ignores_accents_and_case(
    dojo: Dojo, five: list[Any], search: str, found: list[str]
) -> None:
    assert names(dojo.admin.get(f"/students?search={search.replace('%', '%25').replace(' ', '+')}")) == found


def test_a_search_for_guardians_ignores_accents(dojo: Dojo) -> None:
    factories.student(dojo, guardians=[{"name": "Renée Müller"}, {"name": "Jun Ito"}])
    assert [row["name"] for row in ok(dojo.admin.get("/guardians?search=renee"))["results"]] == [
        "Renée Müller"
    ]


def test_a_search_for_users_ignores_accents(dojo: Dojo) -> None:
    dojo.create("/users", {"email": "rm@example.com", "name": "Renée Müller", "role": "instructor"})
    assert [row["name"] for row in ok(dojo.admin.get("/users?search=muller"))["results"]] == ["Renée Müller"]


def test_a_search_for_classes_ignores_accents(dojo: Dojo) -> None:
    factories.training_class(dojo, name="Kinder – Anfänger")
    factories.training_class(dojo, name="Evening class")
    assert [row["name"] for row in ok(dojo.admin.get("/classes?search=anfanger"))["results"]] == [
        "Kinder – Anfänger"
    ]


def test_dojos_are_searched_by_slug(platform: Platform) -> None:
    rows = ok(platform.superadmin().get("/tenants?search=kendo"))["results"]
    assert [row["slug"] for row in rows] == ["kendo"]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("joined_on", ["Zoë", "Éva", "Älva", "Bo", "Mika"]),
        ("-joined_on", ["Mika", "Bo", "Älva", "Éva", "Zoë"]),
        ("name", ["Älva", "Bo", "Éva", "Mika", "Zoë"]),
        ("last_name,-joined_on", ["Mika", "Bo", "Älva", "Éva", "Zoë"]),
    ],
)
def test_a_list_has_the_requested_order(dojo: Dojo, five: list[Any], order: str, found: list[str]) -> None:
    assert names(dojo.admin.get(f"/students?ordering={order}")) == found


def test_the_default_order_of_students_is_by_name(dojo: Dojo, five: list[Any]) -> None:
    assert names(dojo.admin.get("/students")) == ["Älva", "Bo", "Éva", "Mika", "Zoë"]


@pytest.mark.parametrize("order", ["password", "check_in_id", "name,", "--name", "search_name__x"])
def test_an_unknown_order_is_refused(dojo: Dojo, order: str) -> None:
    assert_invalid(dojo.admin.get(f"/students?ordering={order}"), "ordering")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/students?status=gone", "status"),
        ("/students?archived=yes", "archived"),
        ("/users?role=boss", "role"),
        ("/users?is_active=1", "is_active"),
        ("/class-sessions?from=yesterday", "from"),
        ("/class-sessions?to=2026-13-01", "to"),
        ("/class-sessions?from=2026-06-15T18:00:00", "from"),
        ("/class-sessions?class=7", "class"),
        ("/attendance?student=x", "student"),
        ("/attendance?class_session=x", "class_session"),
        ("/attendance?from=x", "from"),
        ("/attendance?cursor=x", "cursor"),
        ("/rank-events?kind=x", "kind"),
        ("/rank-events?from=2026-06-15T18:00:00Z", "from"),
        ("/rank-events?rank_system=x", "rank_system"),
        ("/classes?discipline=x", "discipline"),
    ],
)
def test_an_invalid_filter_value_is_reported_at_its_name(dojo: Dojo, path: str, field: str) -> None:
    assert_invalid(dojo.admin.get(path), field)


@pytest.mark.parametrize("value", ["%00", "%FF", "%ED%A0%80"])
def test_a_query_that_is_not_valid_text_is_refused(dojo: Dojo, value: str) -> None:
    assert_error(dojo.admin.get(f"/students?search={value}"), 400, "validation_error")


def test_students_are_filtered_by_status(dojo: Dojo) -> None:
    factories.student(dojo, first_name="Try", status="trial")
    factories.student(dojo, first_name="Act")
    assert names(dojo.admin.get("/students?status=trial")) == ["Try"]


def test_dates_filter_sessions_by_local_days_both_included(dojo: Dojo) -> None:
    for starts_at in (
        "2026-06-15T21:59:00Z",
        "2026-06-15T22:00:00Z",
        "2026-06-16T21:59:00Z",
        "2026-06-16T22:00:00Z",
    ):
        factories.single_session(dojo, starts_at)
    found = factories.list_sessions(dojo, **{"from": "2026-06-16", "to": "2026-06-16"})
    assert [row["starts_at"] for row in found] == ["2026-06-15T22:00:00Z", "2026-06-16T21:59:00Z"]
    assert {row["local_date"] for row in found} == {"2026-06-16"}


def test_instants_filter_sessions_with_the_end_excluded(dojo: Dojo) -> None:
    for starts_at in ("2026-06-16T10:00:00Z", "2026-06-16T11:00:00Z", "2026-06-16T12:00:00Z"):
        factories.single_session(dojo, starts_at)
    found = factories.list_sessions(dojo, **{"from": "2026-06-16T10:00:00Z", "to": "2026-06-16T12:00:00Z"})
    assert [row["starts_at"] for row in found] == ["2026-06-16T10:00:00Z", "2026-06-16T11:00:00Z"]


def test_attendance_pages_by_cursor_without_a_count(dojo: Dojo) -> None:
    who = factories.student(dojo)
    for day in range(1, 6):
        factories.attendance(dojo, who, factories.single_session(dojo, f"2026-06-0{day}T16:00:00Z"))
    first = ok(dojo.admin.get("/attendance?page_size=2"))
    assert set(first) == {"next", "previous", "results"}
    factories.attendance(
        dojo, who, factories.single_session(dojo, "2026-06-10T16:00:00Z")
    )  # a new row between two pages hides no other row
    second = ok(dojo.admin.get(url_path(first["next"])))
    last = ok(dojo.admin.get(url_path(second["next"])))
    times = [row["checked_in_at"][8:10] for page in (first, second, last) for row in page["results"]]
    assert times == ["05", "04", "03", "02", "01"]
    assert last["next"] is None
    assert ok(dojo.admin.get(url_path(second["previous"])))["results"] == first["results"]


def test_the_cursor_shows_all_rows_of_the_same_instant(dojo: Dojo) -> None:
    session = factories.single_session(dojo, "2026-06-01T16:00:00Z")
    for _ in range(5):
        factories.attendance(dojo, factories.student(dojo), session)
    seen, path = set(), "/attendance?page_size=2"
    while path:
        page = ok(dojo.admin.get(path))
        seen |= {row["id"] for row in page["results"]}
        path = url_path(page["next"]) if page["next"] else ""
    assert len(seen) == 5


# --- the number of statements -------------------------------------------------------------------------------


def _fill(dojo: Dojo, n: int) -> None:
    """Add `n` rows to every list."""
    art = factories.discipline(dojo, f"Art {n}") if n != 2 else factories.discipline(dojo)
    presets = iter(("aikikai", "fik-kendo"))
    for _ in range(min(n, 2)):
        if n == 2:
            factories.rank_system(dojo, next(presets), discipline=art["id"])
    system = ok(dojo.admin.get("/rank-systems"))["results"][0]
    held = system["ranks"][0]["id"]
    teacher = dojo.instructor
    assert teacher.user is not None
    for number in range(n):
        who = factories.student(dojo, guardians=[{"name": f"Parent {number}"}], medical_notes="Asthma")
        group = factories.training_class(
            dojo, discipline=art["id"], min_rank=held, instructors=[str(teacher.user.pk)]
        )
        session = factories.session_today(dojo, group)
        factories.attendance(dojo, who, session)
        ok(dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": who["id"]}), 201)
        factories.rank_event(dojo, who, held, "2026-01-01")
        body = {"email": f"u{n}-{number}@example.com", "role": "student", "students": [who["id"]]}
        dojo.create("/users", body)
        factories.discipline(dojo, f"Art {n}.{number}")
        refused = dojo.admin.post(
            "/attendance/scan",
            {"token": factories.qr_token(dojo.admin, who), "class_session": factories.unknown_id()},
        )
        assert_error(refused, 404, "class_session_not_found")
    same = ok(dojo.admin.get("/students?page_size=1"))["results"][0]
    for number in range(n):
        factories.fact(dojo, same, "points", number, "2026-01-01", rank_system=system["id"])
        dojo.create(f"/students/{same['id']}/notes", {"text": "x"})
        rank = system["ranks"][number % 5 + 1]["id"]
        factories.rank_event(dojo, same, rank, f"2026-0{1 + number // 5}-{n + 1:02}")
        factories.attendance(
            dojo, same, factories.single_session(dojo, f"2026-05-{n + 1:02}T{number + 1:02}:00:00Z")
        )
    group = ok(dojo.admin.get("/classes?page_size=1"))["results"][0]
    for who in ok(dojo.admin.get("/students"))["results"]:
        dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": who["id"]})


@small_or_full("more", small=3, full=10)
def test_the_number_of_statements_of_a_list_does_not_depend_on_its_rows(dojo: Dojo, more: int) -> None:
    _fill(dojo, 2)
    same = ok(dojo.admin.get("/students?page_size=1"))["results"][0]["id"]
    group = ok(dojo.admin.get("/classes?page_size=1"))["results"][0]["id"]
    lists = [
        "/students",
        "/guardians",
        "/users",
        "/disciplines",
        "/rank-systems",
        "/rank-events",
        "/classes",
        "/class-sessions?from=2026-05-01",
        "/attendance",
        "/attendance/refusals",
        f"/students/{same}/notes",
        f"/students/{same}/facts",
        f"/students/{same}/rank-events",
        f"/students/{same}/attendance",
        f"/classes/{group}/enrolments",
    ]
    before = {
        path: (count_get_statements(dojo.admin, path), len(ok(dojo.admin.get(path))["results"]))
        for path in lists
    }
    _fill(dojo, more)
    after = {
        path: (count_get_statements(dojo.admin, path), len(ok(dojo.admin.get(path))["results"]))
        for path in lists
    }
    assert not [path for path in lists if after[path][1] <= before[path][1] and path != "/rank-systems"]
    assert {path: after[path][0] for path in lists} == {path: before[path][0] for path in lists}
    assert max(after[path][0] for path in lists) <= 12
