"""Generic views, over users of the platform."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from shared_apps.accounts.models import User
from tatami.tenancy.scope import platform_scope
from tests.tatami.api.conftest import details_of, error_of

JSON = "application/json"
UNKNOWN = "0190a5a2-3b1c-7def-8000-000000000001"


def create(client: Client, name: str = "Mary", **more: Any) -> Any:
    body = {"name": name, "email": f"{name.lower()}@example.com", "role": "student", **more}
    return client.post("/users", body, content_type=JSON)


def test_a_created_resource_is_found_at_its_location(users_admin: Client) -> None:
    created = create(users_admin)
    assert created.status_code == 201
    assert created.headers["Location"] == f"/users/{created.json()['id']}"
    assert users_admin.get(created.headers["Location"]).json() == created.json()


def test_every_resource_has_the_common_fields(users_admin: Client) -> None:
    assert list(create(users_admin).json()) == [
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
def test_a_body_may_not_set_other_fields(users_admin: Client, name: str) -> None:
    assert list(details_of(create(users_admin, **{name: UNKNOWN}))) == [name]


def test_a_duplicate_of_a_unique_value_is_a_conflict(users_admin: Client) -> None:
    create(users_admin)
    assert error_of(create(users_admin)) == (409, "conflict")


def test_a_patch_changes_only_the_fields_it_contains(users_admin: Client) -> None:
    created = create(users_admin)
    changed = users_admin.patch(created.headers["Location"], {"name": "Maria"}, content_type=JSON)
    assert changed.status_code == 200
    assert {**changed.json(), "updated_at": ""} == {**created.json(), "name": "Maria", "updated_at": ""}


def test_there_is_no_put(users_admin: Client) -> None:
    response = users_admin.put(create(users_admin).headers["Location"], {}, content_type=JSON)
    assert error_of(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, PATCH, DELETE, HEAD"


def test_delete_archives_and_false_restores(users_admin: Client) -> None:
    url = create(users_admin).headers["Location"]
    assert (users_admin.delete(url).status_code, users_admin.delete(url).status_code) == (204, 204)
    assert users_admin.get("/users?search=mary").json()["count"] == 0
    assert users_admin.get("/users?search=mary&archived=true").json()["count"] == 1
    assert users_admin.get(url).json()["archived"] is True
    assert users_admin.patch(url, {"archived": False}, content_type=JSON).json()["archived"] is False
    assert users_admin.get("/users?search=mary").json()["count"] == 1


@pytest.mark.parametrize("value", [True, None, 0, "false"])
def test_a_patch_does_not_archive(users_admin: Client, value: Any) -> None:
    url = create(users_admin).headers["Location"]
    assert list(details_of(users_admin.patch(url, {"archived": value}, content_type=JSON))) == ["archived"]


def test_a_role_that_may_not_archive_may_not_restore(users_admin: Client) -> None:
    url = create(users_admin).headers["Location"]
    users_admin.delete(url)
    assistant = {"Authorization": "Bearer assistant"}
    response = users_admin.patch(url, {"archived": False}, content_type=JSON, headers=assistant)
    assert error_of(response) == (403, "permission_denied")
    assert users_admin.get(url).json()["archived"] is True


def test_an_object_that_the_caller_may_not_see_is_not_found(users_admin: Client) -> None:
    own, other = (
        create(users_admin, "Student").headers["Location"],
        create(users_admin, "Mary").headers["Location"],
    )
    student = {"Authorization": "Bearer student"}
    assert users_admin.get(own, headers=student).status_code == 200
    assert error_of(users_admin.get(other, headers=student)) == (404, "not_found")
    assert [row["name"] for row in users_admin.get("/users", headers=student).json()["results"]] == [
        "Student"
    ]


def test_a_role_with_visibility_recorded_sees_what_it_recorded(users_admin: Client) -> None:
    create(users_admin, "assistant-new")
    create(users_admin, "assistant-old")
    create(users_admin, "Mary")
    with platform_scope():
        User.objects.filter(name="assistant-old").update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    page = users_admin.get("/users", headers={"Authorization": "Bearer assistant"}).json()
    assert [row["name"] for row in page["results"]] == ["assistant-new"]


@pytest.mark.parametrize("id", [UNKNOWN, "1", "%00", "None", "0190a5a2"])
def test_an_unknown_id_is_not_found(users_admin: Client, id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert error_of(users_admin.generic(method, f"/users/{id}", b"{}", content_type=JSON)) == (
            404,
            "not_found",
        )


def test_a_list_is_searched_ordered_and_filtered(users_admin: Client) -> None:
    for name in ("Xaver-a", "Xaver-b", "Xaver-c"):
        create(users_admin, name)
    create(users_admin, "Xaver-d", role="admin")

    def names(query: str) -> list[str]:
        return [row["name"][-1] for row in users_admin.get(f"/users?search=xaver&{query}").json()["results"]]

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
def test_an_invalid_parameter_is_refused_with_its_name(users_admin: Client, query: str, name: str) -> None:
    assert list(details_of(users_admin.get(f"/users?{query}"))) == [name]


def test_cursors_show_every_row_once_in_both_directions(users_admin: Client) -> None:
    for name in "abcdefg":
        create(users_admin, name)
    User.objects.filter(name__in="abcd").update(created_at=User.objects.get(name="a").created_at)  # ties
    seen, page = [], users_admin.get("/newest?page_size=2").json()
    while page["next"]:
        seen += page["results"]
        page = users_admin.get(page["next"]).json()
    seen += page["results"]
    assert sorted(row["id"] for row in seen) == sorted(str(one.pk) for one in User.objects.not_archived())
    last, back = page["results"], []
    while page["previous"]:
        page = users_admin.get(page["previous"]).json()
        back = page["results"] + back
    assert back + last == seen


def test_rows_added_between_two_pages_hide_no_row(users_admin: Client) -> None:
    for name in "abcd":
        create(users_admin, name)
    page = users_admin.get("/newest?page_size=2").json()
    create(users_admin, "late")
    assert [row["name"] for row in users_admin.get(page["next"]).json()["results"]][:2] == ["b", "a"]


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
def test_an_invalid_cursor_is_refused(users_admin: Client, cursor: str) -> None:
    assert list(details_of(users_admin.get("/newest", {"cursor": cursor}))) == ["cursor"]


def test_a_reference_is_an_id_in_a_body_and_has_a_name_in_a_response(users_admin: Client) -> None:
    first, second = create(users_admin, "Ann").json(), create(users_admin, "Bob").json()
    body = {"first": first["id"], "rest": [second["id"], first["id"], second["id"]]}
    assert users_admin.post("/references", body, content_type=JSON).json() == {
        "first": {"id": first["id"], "name": "Ann"},
        "rest": [{"id": second["id"], "name": "Bob"}, {"id": first["id"], "name": "Ann"}],
    }


@pytest.mark.parametrize("given", [UNKNOWN, "x", 5, {"id": 1}, [], True])
def test_an_invalid_reference_is_refused_at_its_path(users_admin: Client, given: Any) -> None:
    known = create(users_admin).json()["id"]
    assert list(details_of(users_admin.post("/references", {"first": given}, content_type=JSON))) == ["first"]
    refused = users_admin.post("/references", {"rest": [known, given]}, content_type=JSON)
    assert list(details_of(refused)) == ["rest.1"]


@pytest.mark.parametrize("end", ["refused", "broken", "unencodable"])
def test_an_error_rolls_the_change_back(users_admin: Client, end: str) -> None:
    assert users_admin.post(f"/create-then/{end}", {}, content_type=JSON).status_code in {409, 500}
    assert not User.objects.filter(name=end).exists()


@pytest.mark.parametrize("end", ["outcome", "created"])
def test_a_response_commits_the_change_even_with_an_error_status(users_admin: Client, end: str) -> None:
    users_admin.post(f"/create-then/{end}", {}, content_type=JSON)
    assert User.objects.filter(name=end).exists()
