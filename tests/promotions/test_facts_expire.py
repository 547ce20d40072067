"""A fact counts on its last day and not on the day after, over HTTP."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok

LAST_DAY, THE_DAY_AFTER = "2026-06-10", "2026-06-11"


def white_belt(dojo: Dojo, criterion: dict[str, Any]) -> dict[str, Any]:
    """Return a white belt since New Year; yellow requires the criterion."""
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}, {"code": "yellow", "name": "Yellow"}],
        "steps": [{"from": "white", "to": "yellow", "paths": [{"name": "regular", "criteria": [criterion]}]}],
    })  # fmt: skip
    student = factories.student(dojo)
    factories.rank_event(dojo, student, factories.rank_id(system, "white"), "2026-01-01")
    return student


def check(dojo: Dojo, student: dict[str, Any], as_of: str) -> dict[str, Any]:
    body = {"students": [student["id"]], "as_of": as_of}
    (result,) = ok(dojo.admin.post("/promotions/check", body))["results"]
    return dict(result)


@pytest.mark.parametrize(
    ("kind", "criterion"),
    [
        ("document", {"kind": "document", "which": "essay"}),
        ("document", {"kind": "document", "which": "essay", "since": "ever"}),
        ("credential", {"kind": "credential", "which": "essay"}),
        ("approval", {"kind": "approval", "which": "essay"}),
        ("skill", {"kind": "skills", "which": ["essay"]}),
        ("achievement", {"kind": "achievement", "which": "essay"}),
        ("achievement", {"kind": "event_count", "event": "essay", "n": 1}),
    ],
)
def test_a_fact_counts_until_its_last_day(dojo: Dojo, kind: str, criterion: dict[str, Any]) -> None:
    student = white_belt(dojo, criterion)
    factories.fact(dojo, student, kind, "Essay", "2026-02-01", expires_on=LAST_DAY)
    on_it = check(dojo, student, LAST_DAY)
    assert (on_it["status"], on_it["earliest_on"]) == ("eligible", "2026-02-01")
    after = check(dojo, student, THE_DAY_AFTER)
    assert (after["status"], after["earliest_on"]) == ("not_eligible", None)


def test_an_opening_balance_counts_until_its_last_day(dojo: Dojo) -> None:
    student = white_belt(dojo, {"kind": "attendance_count", "n": 30, "unit": "day"})
    factories.fact(dojo, student, "opening_attendance", 30, "2026-02-01", expires_on=LAST_DAY)
    on_it, after = (check(dojo, student, on) for on in (LAST_DAY, THE_DAY_AFTER))
    assert (on_it["status"], on_it["earliest_on"]) == ("eligible", "2026-02-01")
    assert (after["status"], after["earliest_on"], after["criteria"][0]["have"]) == ("not_eligible", None, 0)


@pytest.mark.parametrize(("last_day", "status"), [("2026-01-31", "not_eligible"), ("2026-02-01", "eligible")])
def test_the_last_day_of_a_membership_counts_for_the_wait(dojo: Dojo, last_day: str, status: str) -> None:
    student = white_belt(dojo, {"kind": "time_in_rank", "months": 1, "active_only": "member"})
    factories.fact(dojo, student, "membership", "JKF", "2025-04-01", expires_on=last_day)
    assert check(dojo, student, "2026-02-01")["status"] == status
