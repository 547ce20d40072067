"""Rank histories: recorded, voided and listed."""

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok, results_of


def test_the_rank_held_follows_from_the_history(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)

    def held() -> list[str]:
        return [one["name"] for one in ok(dojo.admin.get(f"/students/{who['id']}"))["ranks"]]

    first = factories.rank_event(dojo, who, factories.rank_id(system, "4-kyu"), "2026-03-01")
    factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-01-01")
    factories.rank_event(dojo, who, factories.rank_id(system, "3-kyu"), "2026-12-01")
    assert held() == ["4th kyu"]
    factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-04-01", "demote")
    assert held() == ["5th kyu"]
    ok(dojo.admin.post(f"/rank-events/{first['id']}/void", {"reason": "Another student's"}))
    assert held() == ["5th kyu"]
    assert len(results_of(dojo.admin, f"/students/{who['id']}/rank-events")) == 4, (
        "voided events are still listed"
    )


def test_one_rank_of_each_system_is_shown(dojo: Dojo) -> None:
    who = factories.student(dojo)
    for preset, code in (("aikikai", "4-kyu"), ("fik-kendo", "1-dan")):
        factories.rank_event(
            dojo, who, factories.rank_id(factories.rank_system(dojo, preset), code), "2026-01-01"
        )
    assert len(ok(dojo.admin.get(f"/students/{who['id']}"))["ranks"]) == 2


@pytest.mark.parametrize("kind", ["award", "promotion", ""])
def test_an_award_cannot_be_recorded_as_a_rank_event(dojo: Dojo, kind: str) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    body = {"rank": factories.rank_id(system, "5-kyu"), "kind": kind, "effective_on": "2026-01-01"}
    assert_invalid(dojo.admin.post(f"/students/{who['id']}/rank-events", body), "kind")


def test_a_rank_event_is_shown_at_its_location_and_voided_once(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    body = {
        "rank": factories.rank_id(system, "5-kyu"),
        "kind": "import",
        "effective_on": "2026-01-01",
        "note": "By post",
    }
    event = assert_created(dojo.admin, dojo.admin.post(f"/students/{who['id']}/rank-events", body))
    assert event["rank"] == {"id": body["rank"], "name": "5th kyu"}
    assert event["student"] == {"id": who["id"], "name": "Mika Sato"}
    path = f"/rank-events/{event['id']}/void"
    ok(dojo.admin.post(path, {"reason": "Mistaken"}))
    assert_error(dojo.admin.post(path, {"reason": "Again"}), 409, "already_voided")


def test_rank_events_are_filtered_by_an_inclusive_date_range(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    for code, on in (("5-kyu", "2026-01-01"), ("4-kyu", "2026-02-01"), ("3-kyu", "2026-03-01")):
        factories.rank_event(dojo, who, factories.rank_id(system, code), on)
    found = results_of(
        dojo.admin, "/rank-events?from=2026-01-01&to=2026-02-01&kind=import&rank_system=" + system["id"]
    )
    assert sorted(row["effective_on"] for row in found) == ["2026-01-01", "2026-02-01"]
