"""Versions of rules: which one is in force, the name of the system, the ranks."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import Decision
from tenant_apps.ranks.models import RankRules
from tenant_apps.ranks.services import rules_in_force
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, ok
from tests.support.statements import count_statements

RANKS = [{"code": "white", "name": "White"}, {"code": "yellow", "name": "Yellow"}]


def rules(months: int, **more: Any) -> dict[str, Any]:
    """From white to yellow after so many months."""
    path = {"name": "regular", "criteria": [{"kind": "time_in_rank", "months": months}]}
    return {
        "format": 1,
        "name": "Ours",
        "art": "Judo",
        "source": "Our own",
        "confidence": "C",
        "ranks": RANKS,
        "steps": [{"from": "white", "to": "yellow", "paths": [path]}],
        **more,
    }


def put(dojo: Dojo, system: dict[str, Any], document: dict[str, Any]) -> int:
    return int(ok(dojo.admin.put(f"/rank-systems/{system['id']}/rules", document))["version"])


def version_on(dojo: Dojo, as_of: str) -> int:
    (answer,) = ok(dojo.admin.post("/promotions/check", {"as_of": as_of}))["results"]
    return int(answer["rule_version"])


@pytest.fixture
def system(dojo: Dojo) -> dict[str, Any]:
    """A rank system, and a student who has been white since New Year."""
    made = dojo.create("/rank-systems", rules(3))
    factories.rank_event(dojo, factories.student(dojo), factories.rank_id(made, "white"), "2026-01-01")
    return made


@pytest.fixture
def in_dojo(dojo: Dojo) -> Iterator[None]:
    with tenant_scope(dojo.tenant):
        yield


# --- in force -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("as_of", "version"), [("2026-08-31", 1), ("2026-09-01", 2), ("2030-01-01", 2)])
def test_a_version_is_in_force_from_its_date_on(dojo: Dojo, system: Any, as_of: str, version: int) -> None:
    assert put(dojo, system, rules(6, effective_on="2026-09-01")) == 2
    assert version_on(dojo, as_of) == version


def test_the_criteria_are_those_of_the_version_in_force(dojo: Dojo, system: Any) -> None:
    put(dojo, system, rules(6, effective_on="2026-09-01"))
    for as_of, need in (("2026-08-31", 3), ("2026-09-01", 6)):
        (answer,) = ok(dojo.admin.post("/promotions/check", {"as_of": as_of}))["results"]
        assert answer["criteria"][0]["need"] == need


def test_a_version_without_a_date_is_in_force_on_any_day(dojo: Dojo, system: Any) -> None:
    put(dojo, system, rules(6))
    assert version_on(dojo, "2026-01-02") == 2


def test_the_latest_version_in_force_decides(dojo: Dojo, system: Any) -> None:
    put(dojo, system, rules(6, effective_on="2026-09-01"))
    put(dojo, system, rules(7, effective_on="2026-03-01"))
    assert [version_on(dojo, on) for on in ("2026-02-28", "2026-03-01", "2026-09-01")] == [1, 3, 3]


def test_the_first_version_is_in_force_until_another_is(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", rules(3, effective_on="2026-05-01"))
    factories.rank_event(dojo, factories.student(dojo), factories.rank_id(system, "white"), "2026-01-01")
    put(dojo, system, rules(6, effective_on="2026-04-01"))
    assert [version_on(dojo, on) for on in ("2026-03-31", "2026-04-01", "2026-06-01")] == [1, 2, 2]


def test_an_award_uses_the_rules_of_its_date(dojo: Dojo, system: Any) -> None:
    put(dojo, system, rules(9, effective_on="2026-06-01"))
    (who,) = ok(dojo.admin.get("/students"))["results"]
    body = {"student": who["id"], "target_rank": factories.rank_id(system, "yellow")}
    assert_error(dojo.admin.post("/promotions", {**body, "effective_on": "2026-06-01"}), 409, "not_eligible")
    dojo.create("/promotions", {**body, "effective_on": "2026-05-31"})
    put(dojo, system, rules(12))
    with tenant_scope(dojo.tenant):
        assert Decision.objects.get().rules.version == 1


def test_a_document_is_compared_with_the_latest_version_even_if_not_in_force(dojo: Dojo, system: Any) -> None:
    later = rules(6, effective_on="2030-01-01")
    assert put(dojo, system, later) == 2
    assert put(dojo, system, later) == 2
    path = f"/rank-systems/{system['id']}/rules"
    assert ok(dojo.admin.get(path))["version"] == 2
    assert_error(dojo.admin.put(path, {"version": 1, **rules(4)}), 409, "conflict")
    assert put(dojo, system, rules(3)) == 3


def test_a_version_without_a_stored_date_is_in_force_on_any_day(dojo: Dojo, in_dojo: None) -> None:
    dojo.create("/rank-systems", rules(3, effective_on="2030-01-01"))
    (row,) = RankRules.objects.all()
    assert row.effective_on == date(2030, 1, 1)
    RankRules.objects.filter(pk=row.pk).update(effective_on=None)
    (found,) = rules_in_force(on=date(2026, 1, 1))
    assert found.id == row.pk


def test_rules_are_found_with_two_statements_for_any_number_of_versions(
    dojo: Dojo, system: Any, in_dojo: None
) -> None:
    for month in range(4, 10):
        put(dojo, system, rules(month, effective_on=f"2026-{month:02}-01"))
    assert count_statements(lambda: rules_in_force(on=date(2026, 6, 15))) == 2
    assert [found.version for found in rules_in_force(on=date(2026, 6, 15))] == [4]


def test_no_step_leads_to_a_removed_rank(dojo: Dojo, system: Any) -> None:
    orange = {"code": "orange", "name": "Orange"}
    to_both = [
        {"from": "white", "to": to, "paths": [{"name": "regular", "criteria": []}]}
        for to in ("yellow", "orange")
    ]
    put(dojo, system, rules(3, ranks=[*RANKS, orange], steps=to_both))
    put(dojo, system, rules(3, effective_on="2030-01-01"))
    results = ok(dojo.admin.post("/promotions/check", {}))["results"]
    assert [(one["target_rank"]["name"], one["rule_version"]) for one in results] == [("Yellow", 2)]


def test_a_rank_of_a_future_version_can_be_held(dojo: Dojo, system: Any) -> None:
    red = {"code": "red", "name": "Red"}
    put(dojo, system, rules(3, ranks=[*RANKS, red], effective_on="2030-01-01"))
    after = ok(dojo.admin.get(f"/rank-systems/{system['id']}"))
    (who,) = ok(dojo.admin.get("/students"))["results"]
    for code in ("red", "yellow"):
        factories.rank_event(dojo, who, factories.rank_id(after, code), "2026-03-01")
    (held,) = ok(dojo.admin.get(f"/students/{who['id']}"))["ranks"]
    assert held["name"] == "Red"
    asked = {"target_rank": factories.rank_id(after, "yellow"), "as_of": "2026-06-01"}
    (answer,) = ok(dojo.admin.post("/promotions/check", asked))["results"]
    assert (answer["current_rank"]["name"], answer["rule_version"]) == ("Red", 1)


# --- the system's name --------------------------------------------------------------------------------------


def renamed(dojo: Dojo, system: dict[str, Any], name: str) -> None:
    ok(dojo.admin.patch(f"/rank-systems/{system['id']}", {"name": name}))


def name_of(dojo: Dojo, system: dict[str, Any]) -> str:
    return str(ok(dojo.admin.get(f"/rank-systems/{system['id']}"))["name"])


def test_a_name_set_by_patch_is_kept_when_the_rules_change(dojo: Dojo, system: Any) -> None:
    renamed(dojo, system, "Belts of the town")
    assert put(dojo, system, rules(4)) == 2
    assert name_of(dojo, system) == "Belts of the town"


def test_a_document_that_changes_the_name_renames_the_system(dojo: Dojo, system: Any) -> None:
    renamed(dojo, system, "Belts of the town")
    assert put(dojo, system, rules(3, name="Belts of the country")) == 2
    assert name_of(dojo, system) == "Belts of the country"


def test_a_document_with_the_name_of_another_system_is_refused(dojo: Dojo, system: Any) -> None:
    dojo.create("/rank-systems", rules(3, name="Theirs"))
    taken = dojo.admin.put(f"/rank-systems/{system['id']}/rules", rules(3, name="Theirs"))
    assert_error(taken, 409, "conflict")
    assert (name_of(dojo, system), put(dojo, system, rules(3))) == ("Ours", 1)


# --- ranks --------------------------------------------------------------------------------------------------


def tracks(dojo: Dojo, system: dict[str, Any]) -> dict[str, str]:
    ranks = ok(dojo.admin.get(f"/rank-systems/{system['id']}"))["ranks"]
    return {rank["code"]: rank["track"] for rank in ranks}


def test_a_rank_shows_its_track(dojo: Dojo, system: Any) -> None:
    assert tracks(dojo, system) == {"white": "", "yellow": ""}
    put(dojo, system, rules(3, ranks=[RANKS[0], {**RANKS[1], "track": "contest"}]))
    assert tracks(dojo, system) == {"white": "", "yellow": "contest"}
    put(dojo, system, rules(3))
    assert tracks(dojo, system) == {"white": "", "yellow": ""}


@pytest.mark.parametrize(
    ("preset", "named"), [("kukkiwon", {"poom", "dan"}), ("ibjjf-adult", {"", "kids", "adult"})]
)
def test_presets_have_tracks(dojo: Dojo, preset: str, named: set[str]) -> None:
    assert set(tracks(dojo, factories.rank_system(dojo, preset)).values()) == named


def test_a_syllabus_is_stored_unchanged(dojo: Dojo, system: Any) -> None:
    text = "Front kick.\nLow block."
    put(dojo, system, rules(3, ranks=[RANKS[0], {**RANKS[1], "syllabus": text}]))
    kept = ok(dojo.admin.get(f"/rank-systems/{system['id']}/rules"))
    assert kept["ranks"][1]["syllabus"] == text
