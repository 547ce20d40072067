"""Rank systems: created from a preset or a definition, changed by new versions of their rules."""

from typing import Any

import pytest

from tests.ranks.documents import KIDS
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok


def test_presets_have_a_source_and_a_confidence(dojo: Dojo) -> None:
    body = ok(dojo.admin.get("/rank-systems/presets"))
    items = body["results"] if isinstance(body, dict) else body
    assert {"aikikai", "fik-kendo", "ibjjf-adult", "kukkiwon"} <= {one["key"] for one in items}
    for one in items:
        assert {"key", "name", "source", "confidence"} <= set(one)
        assert one["confidence"] in {"O", "S", "C", "M"}


@pytest.mark.parametrize("key", ["aikikai", "fik-kendo", "ibjjf-adult", "kukkiwon"])
def test_a_rank_system_is_created_from_a_preset(dojo: Dojo, key: str) -> None:
    art = factories.discipline(dojo)
    system = assert_created(
        dojo.admin, dojo.admin.post("/rank-systems", {"preset": key, "discipline": art["id"]})
    )
    assert system["discipline"] == {"id": art["id"], "name": "Aikido"}
    assert [rank["order"] for rank in system["ranks"]] == sorted(rank["order"] for rank in system["ranks"])
    for rank in system["ranks"]:
        assert {"id", "code", "name", "order", "kind", "colours"} <= set(rank)


def test_a_rank_system_is_created_from_a_definition(dojo: Dojo) -> None:
    system = assert_created(dojo.admin, dojo.admin.post("/rank-systems", KIDS))
    assert [rank["code"] for rank in system["ranks"]] == ["white", "yellow"]
    rules = ok(dojo.admin.get(f"/rank-systems/{system['id']}/rules"))
    assert rules["version"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"ranks": []},
        {"ranks": [{"code": "white", "name": "White"}, {"code": "white", "name": "Again"}]},
        {"steps": [{"from": "white", "to": "black", "paths": [{"name": "regular", "criteria": []}]}]},
        {"steps": [{"from": "yellow", "to": "white", "paths": [{"name": "regular", "criteria": []}]}]},
        {"steps": [{"from": "white", "to": "yellow", "paths": []}]},
        {
            "steps": [
                {"from": "white", "to": "yellow", "paths": [{"name": "r", "criteria": [{"kind": "magic"}]}]}
            ]
        },
        {
            "steps": [
                {
                    "from": "white",
                    "to": "yellow",
                    "paths": [{"name": "r", "criteria": [{"kind": "time_in_rank", "months": -1}]}],
                }
            ]
        },
        {"confidence": "X"},
        {"format": 2},
        {"name": ""},
        {"tenant_id": "x"},
        {"preset": "nonsense"},
    ],
    ids=[
        "no ranks",
        "a code twice",
        "unknown code",
        "downwards",
        "no path",
        "unknown criterion",
        "negative",
        "confidence",
        "format",
        "no name",
        "unknown field",
        "and a preset",
    ],
)
def test_an_invalid_definition_is_refused(dojo: Dojo, change: dict[str, Any]) -> None:
    assert_error(dojo.admin.post("/rank-systems", {**KIDS, **change}), 400, "validation_error")
    assert ok(dojo.admin.get("/rank-systems"))["count"] == 0


def test_an_unknown_preset_is_refused(dojo: Dojo) -> None:
    assert_invalid(dojo.admin.post("/rank-systems", {"preset": "nonsense"}), "preset")


def test_an_equal_document_creates_no_new_version(dojo: Dojo) -> None:
    path = f"/rank-systems/{dojo.create('/rank-systems', KIDS)['id']}/rules"
    rules = ok(dojo.admin.get(path))
    assert ok(dojo.admin.put(path, rules)) == rules
    assert ok(dojo.admin.put(path, KIDS))["version"] == 1


def test_a_changed_document_creates_a_version_and_keeps_the_old_one(dojo: Dojo) -> None:
    path = f"/rank-systems/{dojo.create('/rank-systems', KIDS)['id']}/rules"
    assert ok(dojo.admin.put(path, {**KIDS, "note": "Since spring"}))["version"] == 2
    assert "note" not in ok(dojo.admin.get(f"{path}?version=1"))
    assert ok(dojo.admin.get(f"{path}?version=2"))["note"] == "Since spring"
    assert ok(dojo.admin.get(path))["version"] == 2
    assert_error(dojo.admin.get(f"{path}?version=3"), 404, "not_found")
    assert_invalid(dojo.admin.get(f"{path}?version=x"), "version")


def test_ranks_keep_their_ids_when_rules_change(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", KIDS)
    renamed = {**KIDS, "ranks": [{"code": "white", "name": "White belt"}, KIDS["ranks"][1]]}
    ok(dojo.admin.put(f"/rank-systems/{system['id']}/rules", renamed))
    after = ok(dojo.admin.get(f"/rank-systems/{system['id']}"))
    assert [rank["id"] for rank in after["ranks"]] == [rank["id"] for rank in system["ranks"]]
    assert after["ranks"][0]["name"] == "White belt"


def test_a_rank_that_is_held_cannot_be_removed(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", KIDS)
    factories.rank_event(dojo, factories.student(dojo), factories.rank_id(system, "yellow"), "2026-01-01")
    less = {**KIDS, "ranks": KIDS["ranks"][:1], "steps": KIDS["steps"][:1]}
    assert_error(dojo.admin.put(f"/rank-systems/{system['id']}/rules", less), 409, "conflict")


def test_ranks_can_only_be_changed_with_the_rules(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", KIDS)
    assert_invalid(dojo.admin.patch(f"/rank-systems/{system['id']}", {"ranks": []}), "ranks")


def test_faults_of_a_definition_are_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    faulty = {**KIDS, "name": 7, "confidence": "X", "effective_on": "2026-02-30", "colour": "red"}
    details = assert_error(dojo.admin.post("/rank-systems", faulty), 400, "validation_error")
    assert details == {
        "name": ["precisa ser texto"],
        "confidence": ["precisa ser um destes: O, S, C, M"],
        "effective_on": ["precisa ser uma data que existe, AAAA-MM-DD"],
        "colour": ["não é um campo conhecido"],
    }
