"""Creating, changing, archiving and restoring work the same for all resources with plain CRUD."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_created, assert_error, assert_invalid, ok, results_of, url_path

pytestmark = pytest.mark.slow

COMMON = {"id", "tenant_id", "created_at", "updated_at"}
RESOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "/students": ({"first_name": "Mika", "last_name": "Sato"}, {"phone": "030 1234"}),
    "/classes": ({"name": "Evening class", "recurrence": factories.SCHEDULE}, {"location": "Hall B"}),
    "/users": ({"email": "u@example.com", "name": "Una", "role": "assistant"}, {"name": "Una Ito"}),
    "/disciplines": ({"name": "Iaido"}, {"name": "Jodo"}),
    "/rank-systems": ({"preset": "fik-kendo"}, {"name": "Our grades"}),
}
every_resource = pytest.mark.parametrize("path", RESOURCES)


@every_resource
def test_a_created_resource_is_shown_at_its_location(dojo: Dojo, path: str) -> None:
    response = dojo.admin.post(path, RESOURCES[path][0])
    body = assert_created(dojo.admin, response)
    assert set(body) >= COMMON
    assert url_path(response.headers["Location"]) == f"{path}/{body['id']}"
    assert ok(dojo.admin.get(f"{path}/{body['id']}")) == body
    assert body in results_of(dojo.admin, path)


@every_resource
def test_a_patch_changes_only_the_given_fields(dojo: Dojo, path: str) -> None:
    before = dojo.create(path, RESOURCES[path][0])
    change = RESOURCES[path][1]
    with clock.fixed(NOW + timedelta(seconds=5)):
        after = ok(dojo.admin.patch(f"{path}/{before['id']}", change))
    assert after == {**before, **change, "updated_at": after["updated_at"], "name": after["name"]}
    assert after["updated_at"] > before["updated_at"]
    assert ok(dojo.admin.get(f"{path}/{before['id']}")) == after


@every_resource
def test_an_empty_patch_changes_nothing(dojo: Dojo, path: str) -> None:
    before = dojo.create(path, RESOURCES[path][0])
    after = ok(dojo.admin.patch(f"{path}/{before['id']}", {}))
    assert {**after, "updated_at": ""} == {**before, "updated_at": ""}


@every_resource
def test_a_deleted_resource_is_archived_and_can_be_restored(dojo: Dojo, path: str) -> None:
    body = dojo.create(path, RESOURCES[path][0])
    one = f"{path}/{body['id']}"
    response = dojo.admin.delete(one)
    assert (response.status_code, response.content) == (204, b"")
    assert body["id"] not in [row["id"] for row in results_of(dojo.admin, path)]
    assert [row["id"] for row in results_of(dojo.admin, f"{path}?archived=true")] == [body["id"]]
    assert ok(dojo.admin.patch(one, {"archived": False}))["id"] == body["id"]
    assert body["id"] in [row["id"] for row in results_of(dojo.admin, path)]
    assert results_of(dojo.admin, f"{path}?archived=true") == []


@every_resource
def test_a_patch_cannot_archive(dojo: Dojo, path: str) -> None:
    body = dojo.create(path, RESOURCES[path][0])
    assert_invalid(dojo.admin.patch(f"{path}/{body['id']}", {"archived": True}), "archived")


@every_resource
def test_deleting_twice_is_not_a_server_error(dojo: Dojo, path: str) -> None:
    one = f"{path}/{dojo.create(path, RESOURCES[path][0])['id']}"
    ok(dojo.admin.delete(one), 204)
    assert dojo.admin.delete(one).status_code in {204, 404}


@every_resource
def test_both_dojos_can_have_equal_resources(dojo: Dojo, other_dojo: Dojo, path: str) -> None:
    here, there = dojo.create(path, RESOURCES[path][0]), other_dojo.create(path, RESOURCES[path][0])
    assert here["id"] != there["id"]
    assert here["tenant_id"] != there["tenant_id"]
    assert there["id"] not in [row["id"] for row in results_of(dojo.admin, path)]


@pytest.mark.parametrize("path", ["/disciplines", "/rank-systems", "/users"])
def test_a_repeated_name_or_address_is_a_conflict(dojo: Dojo, path: str) -> None:
    dojo.create(path, RESOURCES[path][0])
    assert_error(dojo.admin.post(path, RESOURCES[path][0]), 409, "conflict")
