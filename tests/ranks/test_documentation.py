"""The examples of docs/rank-rules.md work, and every field of a definition is documented there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition.json_schema import definition_schema
from tenant_apps.students.models import StudentFact
from tests.students.csv_files import import_csv, outcomes
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rank-rules.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r'```json\n(\{\n  "format".*?)```', PAGE, re.DOTALL)]
FULL = EXAMPLES[-1]


def section(heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found is not None, heading
    return found[1]


def table(heading: str) -> dict[str, str]:
    """Return the rows of a table: what is named first, and the rest of the row."""
    return dict(re.findall(r"^\| \**`(\w+)`\** \| (.*) \|$", section(heading), re.MULTILINE))


def parts() -> dict[str, dict[str, Any]]:
    """Return the schemas of what a document is made of, by the heading that explains each."""
    system = definition_schema()
    step = system["properties"]["steps"]["items"]
    return {
        "### The system": system,
        "### A rank": system["properties"]["ranks"]["items"],
        "### A step": step,
        "### A path": step["properties"]["paths"]["items"],
    }


@pytest.mark.parametrize("heading", ["### The system", "### A rank", "### A step", "### A path"])
def test_every_field_is_documented(heading: str) -> None:
    schema, explained = parts()[heading], table(heading)
    assert set(explained) == set(schema["properties"])
    for name, field in schema["properties"].items():
        for choice in field.get("enum", ()):
            assert f"`{choice}`" in explained[name], (name, choice)
        assert (f"**`{name}`**" in section(heading)) is (name in schema["required"]), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_every_example_creates_a_rank_system(dojo: Dojo, example: dict[str, Any]) -> None:
    art = factories.discipline(dojo, example["art"])
    system = dojo.create("/rank-systems", {**example, "discipline": art["id"]})
    assert [rank["code"] for rank in system["ranks"]] == [rank["code"] for rank in example["ranks"]]
    # The document reads as it was written: put again, it is no new version.
    assert ok(dojo.admin.put(f"/rank-systems/{system['id']}/rules", example))["version"] == 1


def test_the_full_example_uses_every_field() -> None:
    assert {rank.get("kind", "rank") for rank in FULL["ranks"]} == {"rank", "sub_rank", "title"}
    assert {step.get("type", "promote") for step in FULL["steps"]} == {"promote", "skip", "convert"}
    for heading, members in (
        ("### The system", [FULL]),
        ("### A rank", FULL["ranks"]),
        ("### A step", FULL["steps"]),
    ):
        assert set().union(*members) == set(parts()[heading]["properties"])


def test_a_student_progresses_through_the_full_example(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", FULL)
    child = factories.student(dojo, birth_date="2011-06-15", external_id="M-0815")
    body = {"students": [child["id"]], "rank_system": system["id"]}

    def steps(**asked: str) -> dict[str, str]:
        results = ok(dojo.admin.post("/promotions/check", {**body, **asked}))["results"]
        return {one["target_rank"]["name"]: one["status"] for one in results}

    assert steps() == {"Yellow belt": "eligible"}
    factories.rank_event(dojo, child, factories.rank_id(system, "yellow-2"), "2025-06-01")
    ok(
        dojo.instructor.post(
            f"/students/{child['id']}/facts", {"kind": "approval", "value": "test", "on": "2026-06-01"}
        ),
        201,
    )
    assert steps(as_of="2026-06-14") == {"1st poom": "eligible", "1st dan": "not_eligible"}, (
        "the skip is listed, too"
    )
    assert steps(as_of="2026-06-15")["1st poom"] == "not_eligible", "fifteen is too old"
    factories.rank_event(dojo, child, factories.rank_id(system, "1-poom"), "2026-06-14")
    assert steps(target_rank=factories.rank_id(system, "1-dan")) == {"1st dan": "eligible"}


def test_the_anchor_restarts_the_kinds_that_are_named() -> None:
    named = set(re.findall(r"`(\w+)`", table("### A step")["anchor"]))
    assert named & set(KINDS) == {kind for kind, one in KINDS.items() if one.restarts_after_test}


def test_the_documented_faults_are_reported(dojo: Dojo) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", section("### Faults"), re.DOTALL)[0])
    faulty = json.loads(json.dumps(EXAMPLES[0]))
    del faulty["steps"][2]["paths"][0]["criteria"][1]["n"]
    faulty["steps"].append({"from": "2-dan", "to": "3-dan", "paths": [{"name": "regular", "criteria": []}]})
    assert (
        assert_invalid(dojo.admin.post("/rank-systems", faulty), *shown["error"]["details"])
        == shown["error"]["details"]
    )


def test_every_kind_of_fact_is_documented() -> None:
    first_column = re.findall(r"^\| (`.*?) \|", section("## Facts"), re.MULTILINE)
    named = {name for cell in first_column for name in re.findall(r"`(\w+)`", cell)}
    assert named - {"kind"} == set(StudentFact.Kind.values)


def test_the_documented_file_of_facts_is_imported(dojo: Dojo) -> None:
    dojo.create("/rank-systems", FULL)
    factories.student(dojo, external_id="M-0815")
    content = re.findall(r"```csv\n(.*?)```", section("## Facts"), re.DOTALL)[0]
    assert outcomes(import_csv(dojo.admin, content, "/facts/import")) == ["created"] * 3
    assert outcomes(import_csv(dojo.admin, content, "/facts/import")) == ["duplicate"] * 3
