"""Records that cannot be are refused; histories that may really be odd are accepted."""

from typing import Any

import pytest

from tests.students.csv_files import FACTS, RANK_EVENTS, import_csv
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok


class History:
    """A student, born on 1 May 2010, with taekwondo grades: 1 poom since 2023, and 2 gup before."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.system = factories.rank_system(dojo, "kukkiwon")
        self.codes = [rank["code"] for rank in self.system["ranks"]]
        self.student = factories.student(dojo, birth_date="2010-05-01", external_id="7")

    def record(self, code: str, on: str, kind: str = "import", note: str = "") -> Any:
        body = {"rank": factories.rank_id(self.system, code), "kind": kind, "effective_on": on}
        body |= {"note": note} if note else {}
        return self.dojo.admin.post(f"/students/{self.student['id']}/rank-events", body)


@pytest.fixture
def history(dojo: Dojo) -> History:
    history = History(dojo)
    ok(history.record("1-poom", "2023-01-01"), 201)
    return history


def test_a_demotion_does_not_lead_up(history: History) -> None:
    details = assert_error(history.record("2-poom", "2024-01-01", "demote"), 409, "rank_out_of_order")
    assert [one["rank"]["name"] for one in details["rank_events"]] == ["1st poom"]
    answer = history.record("2-poom", "2024-01-01", "demote", "A note is no reason for this.")
    assert_error(answer, 409, "rank_out_of_order")


def test_who_holds_nothing_is_not_demoted(history: History) -> None:
    assert_error(history.record("1-poom", "2022-01-01", "demote"), 409, "nothing_to_demote")


@pytest.mark.parametrize(("day", "field"), [("2010-04-30", "effective_on"), ("2027-06-17", "effective_on")])
@pytest.mark.parametrize("kind", ["import", "convert", "demote"])
def test_ranks_before_birth_or_far_in_the_future_are_refused(
    history: History, day: str, field: str, kind: str
) -> None:
    assert_invalid(history.record("1-poom", day, kind, "From the old book"), field)


def test_a_conversion_that_no_step_allows_needs_a_note(history: History) -> None:
    assert_error(history.record("2-dan", "2024-01-01", "convert"), 409, "no_such_conversion")
    ok(history.record("1-dan", "2025-06-01", "convert"), 201)
    ok(history.record("3-dan", "2026-01-01", "convert", "By the old rules of the federation"), 201)


def test_imports_are_accepted_in_any_order(history: History) -> None:
    ok(history.record("3-poom", "2022-01-01"), 201)
    ok(history.record("2-poom", "2024-01-01"), 201)
    ok(history.record("1-poom", "2023-01-15"), 201)


def test_the_file_of_a_history_is_checked_as_a_whole(history: History) -> None:
    head = "external_id,rank,effective_on,kind,note\n"
    lines = [
        "7,2-poom,2024-01-01,,",  # above the first line below, whatever the order in the file
        "7,1-dan,2025-06-01,demote,",
        "7,3-poom,2010-01-01,,Before birth",
        "7,3-poom,2025-01-01,,",
    ]
    body = import_csv(history.dojo.admin, head + "\n".join(lines) + "\n", RANK_EVENTS)
    errors = [list(row["errors"]) for row in body["rows"]]
    assert errors == [[], ["rank"], ["effective_on"], []]
    assert (body["created"], body["failed"]) == (2, 2)


# --- dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["2026-06-16", "2200-01-01", "1899-12-31"])
def test_a_birth_date_has_come(dojo: Dojo, day: str) -> None:
    body = {"first_name": "Mika", "last_name": "Sato", "birth_date": day}
    assert_invalid(dojo.admin.post("/students", body), "birth_date")
    who = factories.student(dojo)
    assert_invalid(dojo.admin.patch(f"/students/{who['id']}", {"birth_date": day}), "birth_date")


def test_a_birth_date_is_not_after_a_rank(history: History) -> None:
    path = f"/students/{history.student['id']}"
    assert_invalid(history.dojo.admin.patch(path, {"birth_date": "2023-01-02"}), "birth_date")
    ok(history.dojo.admin.patch(path, {"birth_date": "2011-01-01"}))


@pytest.mark.parametrize("kind", ["document", "approval", "opening_attendance", "membership"])
def test_facts_are_not_recorded_far_ahead(dojo: Dojo, kind: str) -> None:
    who = factories.student(dojo)
    value = 3 if kind == "opening_attendance" else "x"
    path = f"/students/{who['id']}/facts"
    body = {"kind": kind, "value": value, "on": "2200-01-01"}
    assert_invalid(dojo.admin.post(path, body), "on")
    ok(dojo.admin.post(path, {**body, "on": "2027-01-01", "expires_on": "2199-12-31"}), 201)


def test_files_are_held_to_the_same_dates(dojo: Dojo) -> None:
    factories.student(dojo, external_id="7")
    factories.rank_system(dojo, "fik-kendo")
    facts = "external_id,kind,value,on\n7,document,x,2200-01-01\n"
    assert list(import_csv(dojo.admin, facts, FACTS)["rows"][0]["errors"]) == ["on"]
    people = (
        "first_name,last_name,birth_date,rank,rank_on\n"
        "Ren,Ito,2200-01-01,,\n"
        "Yui,Ito,2010-05-01,1-kyu,2010-04-30\n"
        "Aki,Ito,2010-05-01,1-kyu,2200-01-01\n"
    )
    rows = import_csv(dojo.admin, people, "/students/import")["rows"]
    assert [list(row["errors"]) for row in rows] == [["birth_date"], ["rank_on"], ["rank_on"]]


def test_users_cannot_import_approvals_of_themselves(dojo: Dojo) -> None:
    who = factories.student(dojo, external_id="7")
    factories.link_user(dojo, dojo.admin, who)
    content = "external_id,kind,value,on\n7,approval,exam,2026-06-01\n7,document,article,2026-06-01\n"
    rows = import_csv(dojo.admin, content, FACTS)["rows"]
    assert [list(row["errors"]) for row in rows] == [["kind"], []]


# --- voiding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cascade", [False, True])
def test_voiding_names_the_later_ranks_that_stand_on_a_rank(history: History, cascade: bool) -> None:
    converted = ok(history.record("1-dan", "2025-06-01", "convert"), 201)
    events = ok(history.dojo.admin.get(f"/students/{history.student['id']}/rank-events"))["results"]
    (poom,) = (one for one in events if one["rank"]["name"] == "1st poom")
    body = {"reason": "Another student's", "cascade": cascade}
    voided = ok(history.dojo.admin.post(f"/rank-events/{poom['id']}/void", body))
    assert [one["id"] for one in voided["later_ranks"]] == [converted["id"]]
    left = ok(history.dojo.admin.get(f"/students/{history.student['id']}"))["ranks"]
    assert [one["code"] for one in left] == ([] if cascade else ["1-dan"])
