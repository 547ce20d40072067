"""The fields of requests: text, unknown and read-only fields, references."""

from typing import Any

import pytest
from django.test import Client

from tests.tatami.api.conftest import details_of


def send(client: Client, body: dict[str, Any]) -> Any:
    return client.post("/students", body, content_type="application/json")


def test_text_is_trimmed_and_normalised(admin: Client) -> None:
    assert send(admin, {"name": "  Jose\u0301 "}).json() == {"name": "José"}


def test_unknown_fields_are_refused_each_at_its_path(admin: Client) -> None:
    body = {
        "name": "Mary",
        "tenant_id": "x",
        "guardians": [{"name": "Ann"}, {"name": "Bob", "role": "admin"}],
    }
    assert details_of(send(admin, body)) == {
        "tenant_id": ["There is no such field."],
        "guardians.1.role": ["There is no such field."],
    }


def test_a_read_only_field_is_refused(admin: Client) -> None:
    body = {"name": "Mary", "id": "0190a5a2-3b1c-7def-8000-000000000001"}
    assert details_of(send(admin, body)) == {"id": ["This field is read-only."]}


def test_all_errors_are_reported_at_once(admin: Client) -> None:
    assert set(details_of(send(admin, {"name": "", "nonsense": 1, "guardians": [{"email": "x"}]}))) == {
        "name",
        "nonsense",
        "guardians.0.name",
        "guardians.0.email",
    }


@pytest.mark.parametrize("name", ["a\nb", "a\x07", "a\x7f", "a\u0085b", "a\u2028b"])
def test_a_single_line_has_no_control_characters(admin: Client, name: str) -> None:
    assert details_of(send(admin, {"name": name})) == {"name": ["Control characters are not accepted."]}


def test_multi_line_text_has_line_breaks_but_no_other_control_characters(admin: Client) -> None:
    assert send(admin, {"name": "Mary", "note": "one\ntwo\tthree"}).status_code == 201
    assert list(details_of(send(admin, {"name": "Mary", "note": "bell\x07"}))) == ["note"]


def test_multi_line_text_has_a_maximum_length(admin: Client) -> None:
    assert list(details_of(send(admin, {"name": "Mary", "note": "x" * 10_001}))) == ["note"]


@pytest.mark.parametrize("name", [5, 1.5, True, ["Mary"], {"first": "Mary"}, None])
def test_other_types_are_not_accepted_as_text(admin: Client, name: Any) -> None:
    assert list(details_of(send(admin, {"name": name}))) == ["name"]


@pytest.mark.parametrize("guardians", [{}, "Ann", 5, None, ["Ann"], [None], [[]]])
def test_other_types_are_not_accepted_as_a_list_of_objects(admin: Client, guardians: Any) -> None:
    assert all(
        path.startswith("guardians")
        for path in details_of(send(admin, {"name": "Mary", "guardians": guardians}))
    )
