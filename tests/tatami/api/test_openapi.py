"""The OpenAPI document of a small site, and the page that shows it."""

import re
from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def document(anonymous: Client) -> Any:
    response = anonymous.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


def test_operations_are_named_after_their_routes(document: Any) -> None:
    names = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert {"create_students", "list_numbers"} <= names


def test_every_operation_describes_its_errors(document: Any) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/OtherError"}
            assert operation["responses"]["400"] == {"$ref": "#/components/responses/BadRequest"}
    responses = document["components"]["responses"]
    assert responses["OtherError"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ErrorResponse"
    }


def test_an_operation_names_its_roles_and_its_security_scheme(document: Any) -> None:
    students = document["paths"]["/students"]["post"]
    assert "Roles: admin." in students["description"]
    assert students["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_the_page_loads_nothing_from_other_hosts(anonymous: Client) -> None:
    page = anonymous.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    text = page.content.decode()
    assert not re.search(r"https?://", text)
    assert not re.search(r"<script(?![^>]*src=)", text)
    assert "<style" not in text


def test_the_start_script_is_a_separate_request(anonymous: Client) -> None:
    script = anonymous.get("/docs?script")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert b"SwaggerUIBundle" in script.content
