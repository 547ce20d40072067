"""Plain CRUD, over users of the platform."""

from typing import Any

import pytest
from django.test import Client

from shared_apps.accounts.models import User
from tests.tatami.api.conftest import details_of, error_of

JSON = "application/json"
UNKNOWN = "0190a5a2-3b1c-7def-8000-000000000001"


def make(client: Client, name: str = "Mary", **more: Any) -> Any:
    body = {"name": name, "email": f"{name.lower()}@example.com", "role": "student", **more}
    return client.post("/rows", body, content_type=JSON)


def test_what_is_made_is_found_at_its_location(rows: Client) -> None:
    made = make(rows)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/rows/{made.json()['id']}"
    assert rows.get(made.headers["Location"]).json() == made.json()


def test_every_resource_bears_the_common_fields(rows: Client) -> None:
    assert list(make(rows).json()) == [
        "id",
        "tenant_id",
        "name",
        "email",
        "role",
        "archived",
        "created_at",
        "updated_at",
    ]


@pytest.mark.parametrize("name", ["id", "tenant_id", "created_at", "updated_at", "is_active", "password"])
def test_nothing_is_slipped_in(rows: Client, name: str) -> None:
    assert list(details_of(make(rows, **{name: UNKNOWN}))) == [name]


def test_a_second_one_of_what_is_unique_is_a_conflict(rows: Client) -> None:
    make(rows)
    assert error_of(make(rows)) == (409, "conflict")


def test_a_patch_changes_what_it_names(rows: Client) -> None:
    made = make(rows)
    changed = rows.patch(made.headers["Location"], {"name": "Maria"}, content_type=JSON)
    assert changed.status_code == 200
    assert {**changed.json(), "updated_at": ""} == {**made.json(), "name": "Maria", "updated_at": ""}


def test_there_is_no_put(rows: Client) -> None:
    response = rows.put(make(rows).headers["Location"], {}, content_type=JSON)
    assert error_of(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, PATCH, DELETE, HEAD"


def test_delete_archives_and_false_restores(rows: Client) -> None:
    place = make(rows).headers["Location"]
    assert (rows.delete(place).status_code, rows.delete(place).status_code) == (204, 204)
    assert rows.get("/rows?search=mary").json()["count"] == 0
    assert rows.get("/rows?search=mary&archived=true").json()["count"] == 1
    assert rows.get(place).json()["archived"] is True
    assert rows.patch(place, {"archived": False}, content_type=JSON).json()["archived"] is False
    assert rows.get("/rows?search=mary").json()["count"] == 1


@pytest.mark.parametrize("value", [True, None, 0, "false"])
def test_a_patch_does_not_archive(rows: Client, value: Any) -> None:
    place = make(rows).headers["Location"]
    assert list(details_of(rows.patch(place, {"archived": value}, content_type=JSON))) == ["archived"]


def test_who_may_not_archive_may_not_restore(rows: Client) -> None:
    place = make(rows).headers["Location"]
    rows.delete(place)
    assistant = {"Authorization": "Bearer assistant"}
    response = rows.patch(place, {"archived": False}, content_type=JSON, headers=assistant)
    assert error_of(response) == (403, "permission_denied")
    assert rows.get(place).json()["archived"] is True


def test_what_is_out_of_reach_is_not_there(rows: Client) -> None:
    own, other = make(rows, "Student").headers["Location"], make(rows, "Mary").headers["Location"]
    student = {"Authorization": "Bearer student"}
    assert rows.get(own, headers=student).status_code == 200
    assert error_of(rows.get(other, headers=student)) == (404, "not_found")
    assert [row["name"] for row in rows.get("/rows", headers=student).json()["results"]] == ["Student"]


@pytest.mark.parametrize("place", [UNKNOWN, "1", "%00", "None", "0190a5a2"])
def test_what_is_not_there_is_not_found(rows: Client, place: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert error_of(rows.generic(method, f"/rows/{place}", b"{}", content_type=JSON)) == (
            404,
            "not_found",
        )


def test_a_list_is_searched_ordered_and_narrowed(rows: Client) -> None:
    for name in ("Xaver-a", "Xaver-b", "Xaver-c"):
        make(rows, name)
    make(rows, "Xaver-d", role="admin")

    def names(query: str) -> list[str]:
        return [row["name"][-1] for row in rows.get(f"/rows?search=xaver&{query}").json()["results"]]

    assert names("ordering=-name") == ["d", "c", "b", "a"]
    assert names("ordering=name&role=student") == ["a", "b", "c"]
    assert names("search=XAVER-b") == ["b"]
    assert names("from=2999-01-01") == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ordering=password", "ordering"),
        ("ordering=name,", "ordering"),
        ("ordering=--name", "ordering"),
        ("role=king", "role"),
        ("from=tomorrow", "from"),
        ("archived=yes", "archived"),
        ("search=" + "x" * 201, "search"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(rows: Client, query: str, name: str) -> None:
    assert list(details_of(rows.get(f"/rows?{query}"))) == [name]


def test_cursors_show_every_row_once_in_both_directions(rows: Client) -> None:
    for name in "abcdefg":
        make(rows, name)
    User.objects.filter(name__in="abcd").update(created_at=User.objects.get(name="a").created_at)  # ties
    seen, page = [], rows.get("/newest?page_size=2").json()
    while page["next"]:
        seen += page["results"]
        page = rows.get(page["next"]).json()
    seen += page["results"]
    assert sorted(row["id"] for row in seen) == sorted(str(one.pk) for one in User.objects.live())
    last, back = page["results"], []
    while page["previous"]:
        page = rows.get(page["previous"]).json()
        back = page["results"] + back
    assert back + last == seen


def test_a_cursor_hides_nothing_when_rows_come_meanwhile(rows: Client) -> None:
    for name in "abcd":
        make(rows, name)
    page = rows.get("/newest?page_size=2").json()
    make(rows, "late")
    assert [row["name"] for row in rows.get(page["next"]).json()["results"]][:2] == ["b", "a"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "bnVsbA==",
        "W10=",
        "WyJuIiwibm93IiwxXQ==",
        "WyJuIiwiMjAyNC0wMS0wMSIsNV0=",
        "W1tdLFtdLFtdXQ==",
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(rows: Client, cursor: str) -> None:
    assert list(details_of(rows.get("/newest", {"cursor": cursor}))) == ["cursor"]


def test_a_reference_is_an_id_in_a_body_and_a_name_in_an_answer(rows: Client) -> None:
    first, second = make(rows, "Ann").json(), make(rows, "Bob").json()
    body = {"first": first["id"], "rest": [second["id"], first["id"], second["id"]]}
    assert rows.post("/references", body, content_type=JSON).json() == {
        "first": {"id": first["id"], "name": "Ann"},
        "rest": [{"id": second["id"], "name": "Bob"}, {"id": first["id"], "name": "Ann"}],
    }


@pytest.mark.parametrize("given", [UNKNOWN, "x", 5, {"id": 1}, [], True])
def test_a_reference_to_nothing_is_refused_at_its_place(rows: Client, given: Any) -> None:
    known = make(rows).json()["id"]
    assert list(details_of(rows.post("/references", {"first": given}, content_type=JSON))) == ["first"]
    refused = rows.post("/references", {"rest": [known, given]}, content_type=JSON)
    assert list(details_of(refused)) == ["rest.1"]


@pytest.mark.parametrize("how", ["refused", "broken", "unencodable"])
def test_what_ends_in_an_error_has_not_happened(rows: Client, how: str) -> None:
    assert rows.post(f"/halfway/{how}", {}, content_type=JSON).status_code in {409, 500}
    assert not User.objects.filter(name=how).exists()


@pytest.mark.parametrize("how", ["outcome", "made"])
def test_what_is_answered_is_kept_refusals_too(rows: Client, how: str) -> None:
    rows.post(f"/halfway/{how}", {}, content_type=JSON)
    assert User.objects.filter(name=how).exists()
