"""A fact counts on its last day, and not on the day after: as a client sees it."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done

LAST_DAY, THE_DAY_AFTER = "2026-06-10", "2026-06-11"


def pupil(dojo: Dojo, criterion: dict[str, Any]) -> dict[str, Any]:
    """Return a student who has been white since New Year; yellow asks for the criterion."""
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}, {"code": "yellow", "name": "Yellow"}],
        "steps": [{"from": "white", "to": "yellow", "paths": [{"name": "regular", "criteria": [criterion]}]}],
    })  # fmt: skip
    who = factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank(system, "white"), "2026-01-01")
    return who


def answer(dojo: Dojo, who: dict[str, Any], as_of: str) -> dict[str, Any]:
    body = {"students": [who["id"]], "as_of": as_of}
    (result,) = done(dojo.admin.post("/promotions/check", body))["results"]
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
def test_what_expires_counts_until_its_last_day(dojo: Dojo, kind: str, criterion: dict[str, Any]) -> None:
    who = pupil(dojo, criterion)
    factories.fact(dojo, who, kind, "Essay", "2026-02-01", expires_on=LAST_DAY)
    on_it = answer(dojo, who, LAST_DAY)
    assert (on_it["status"], on_it["earliest_on"]) == ("eligible", "2026-02-01")
    after = answer(dojo, who, THE_DAY_AFTER)
    assert (after["status"], after["earliest_on"]) == ("not_eligible", None)


def test_an_opening_balance_counts_until_its_last_day(dojo: Dojo) -> None:
    who = pupil(dojo, {"kind": "attendance_count", "n": 30, "unit": "day"})
    factories.fact(dojo, who, "opening_attendance", 30, "2026-02-01", expires_on=LAST_DAY)
    on_it, after = (answer(dojo, who, on) for on in (LAST_DAY, THE_DAY_AFTER))
    assert (on_it["status"], on_it["earliest_on"]) == ("eligible", "2026-02-01")
    assert (after["status"], after["earliest_on"], after["criteria"][0]["have"]) == ("not_eligible", None, 0)


@pytest.mark.parametrize(("last_day", "status"), [("2026-01-31", "not_eligible"), ("2026-02-01", "eligible")])
def test_the_last_day_of_a_membership_is_waited_through(dojo: Dojo, last_day: str, status: str) -> None:
    who = pupil(dojo, {"kind": "time_in_rank", "months": 1, "active_only": "member"})
    factories.fact(dojo, who, "membership", "JKF", "2025-04-01", expires_on=last_day)
    assert answer(dojo, who, "2026-02-01")["status"] == status
