"""`attendance_rate`: what was offered to a student, by the schedule, enrolments, holds and closures of a dojo."""

from typing import Any

import pytest

from tests.promotions.factories import EVERY_DAY
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok

AS_OF = "2026-06-15"


class RatedDojo:
    """A dojo with an art, a rank system whose only criterion is a rate, and a student who holds the first rank."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.art = factories.discipline(dojo)
        self.student = factories.student(dojo, joined_on="2026-01-01")

    def add_system(self, **rate: Any) -> None:
        criterion = {"kind": "attendance_rate", "percent": 80, **rate}
        self.system = self.dojo.create("/rank-systems", {
            "format": 1, "name": "Rates", "art": "Aikido", "source": "Our own", "confidence": "C",
            "discipline": self.art["id"],
            "ranks": [{"code": code, "name": code.upper()} for code in "ab"],
            "steps": [{"from": "a", "to": "b", "paths": [{"name": "regular", "criteria": [criterion]}]}],
        })  # fmt: skip
        factories.rank_event(self.dojo, self.student, factories.rank_id(self.system, "a"), "2026-05-31")

    def add_class(self, first: str, last: str, start: str = "18:30", **fields: Any) -> dict[str, Any]:
        """Return a class with a session on each of these days."""
        daily = {
            "weekdays": EVERY_DAY,
            "start_time": start,
            "duration_minutes": 60,
            "from": first,
            "until": last,
        }
        return factories.training_class(
            self.dojo, recurrence=daily, **{"discipline": self.art["id"], **fields}
        )

    def sessions(self, training_class: dict[str, Any]) -> list[dict[str, Any]]:
        query = {"class": training_class["id"], "from": "2026-06-01", "to": "2026-06-30"}
        return factories.list_sessions(self.dojo, **query)

    def attend(self, *sessions: dict[str, Any]) -> None:
        for session in sessions:
            factories.attendance(self.dojo, self.student, session)

    def enrol(self, training_class: dict[str, Any], first: str = "2026-01-01") -> None:
        body = {"student": self.student["id"], "from": first}
        ok(self.dojo.admin.post(f"/classes/{training_class['id']}/enrolments", body), 201)

    def cancel(self, *sessions: dict[str, Any]) -> None:
        for session in sessions:
            ok(self.dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)

    def message(self) -> str:
        body = {"students": [self.student["id"]], "as_of": AS_OF}
        (answer,) = ok(self.dojo.admin.post("/promotions/check", body))["results"]
        (criterion,) = answer["criteria"]
        return str(criterion["message"])

    def share(self) -> str:
        """Return "3 of the 7" as the message says it."""
        return self.message().removeprefix("Attended ").partition(" class")[0]


@pytest.fixture
def rated(dojo: Dojo) -> RatedDojo:
    return RatedDojo(dojo)


@pytest.mark.parametrize("enrolled", [True, False])
def test_of_ten_sessions_three_that_were_cancelled_were_not_offered(
    rated: RatedDojo, *, enrolled: bool
) -> None:
    rated.add_system()
    evening = rated.add_class("2026-06-01", "2026-06-10")
    if enrolled:
        rated.enrol(evening)
    sessions = rated.sessions(evening)
    rated.attend(*sessions[:6])
    assert rated.share() == "6 of the 10"
    rated.cancel(*sessions[:3])
    assert rated.message() == (
        "Attended 3 of the 7 classes offered since A on 31 May 2026: 42%. Needed: 80%."
    )


def test_a_closure_takes_sessions_from_the_offer(rated: RatedDojo) -> None:
    rated.add_system()
    evening = rated.add_class("2026-06-01", "2026-06-10")
    rated.enrol(evening)
    rated.attend(*rated.sessions(evening)[:6])
    rated.dojo.create("/closures", {"from": "2026-06-07", "until": "2026-06-08"})
    assert rated.share() == "6 of the 8"


def test_a_class_of_others_in_the_discipline_is_not_offered(rated: RatedDojo) -> None:
    rated.add_system()
    adults = rated.add_class("2026-06-01", "2026-06-10", name="Adults")
    rated.add_class("2026-06-01", "2026-06-10", "16:00", name="Kids", class_type="kids")
    rated.enrol(adults)
    rated.attend(*rated.sessions(adults)[:8])
    assert rated.share() == "8 of the 10"


def test_the_discipline_counts_as_a_whole_if_the_rule_says_so(rated: RatedDojo) -> None:
    rated.add_system(of="discipline")
    adults = rated.add_class("2026-06-01", "2026-06-10", name="Adults")
    rated.add_class("2026-06-01", "2026-06-10", "16:00", name="Kids", class_type="kids")
    rated.enrol(adults)
    rated.attend(*rated.sessions(adults)[:8])
    assert rated.share() == "8 of the 20"


def test_only_classes_of_a_type_count_if_the_rule_names_them(rated: RatedDojo) -> None:
    rated.add_system(of="class_types", class_types=["seminar"])
    adults = rated.add_class("2026-06-01", "2026-06-10", name="Adults")
    seminars = rated.add_class("2026-06-03", "2026-06-06", "10:00", name="Seminars", class_type="seminar")
    rated.enrol(adults)
    rated.attend(*rated.sessions(adults)[:8], *rated.sessions(seminars)[:1])
    assert rated.share() == "1 of the 4"


@pytest.mark.parametrize("of", ["enrolled", "discipline"])
def test_parallel_halls_are_one_offer(rated: RatedDojo, of: str) -> None:
    rated.add_system(of=of)
    halls = [rated.add_class("2026-06-01", "2026-06-10", name=f"Hall {n}") for n in (1, 2)]
    for hall in halls:
        rated.enrol(hall)
    rated.attend(*rated.sessions(halls[0])[:5], *rated.sessions(halls[1])[5:8])
    assert rated.share() == "8 of the 10"


@pytest.mark.parametrize("of", ["enrolled", "discipline"])
def test_days_on_hold_are_not_offered(rated: RatedDojo, of: str) -> None:
    rated.add_system(of=of)
    evening = rated.add_class("2026-06-01", "2026-06-10")
    rated.enrol(evening)
    rated.attend(*rated.sessions(evening)[:5])
    rated.dojo.create(f"/students/{rated.student['id']}/holds", {"from": "2026-06-07", "until": "2026-06-09"})
    assert rated.share() == "5 of the 7"


@pytest.mark.parametrize(
    ("joined", "enrolled", "share"),
    [("2026-06-05", "2026-01-01", "6 of the 6"), ("2026-01-01", "2026-06-06", "5 of the 5"),
     ("2026-06-05", "2026-06-08", "3 of the 3")],
)  # fmt: skip
def test_the_offer_begins_with_the_later_of_rank_joining_and_enrolment(
    rated: RatedDojo, joined: str, enrolled: str, share: str
) -> None:
    rated.add_system()
    ok(rated.dojo.admin.patch(f"/students/{rated.student['id']}", {"joined_on": joined}))
    evening = rated.add_class("2026-06-01", "2026-06-10")
    rated.enrol(evening, enrolled)
    rated.attend(*rated.sessions(evening)[4:])
    assert rated.share() == share


def test_a_rate_counts_the_sessions_on_whose_roster_the_student_is(rated: RatedDojo) -> None:
    """The two are asked in different ways: rosters session by session, rates for all students at once."""
    rated.add_system()
    evening, morning = (
        rated.add_class("2026-06-01", "2026-06-14"),
        rated.add_class("2026-06-01", "2026-06-14", "07:00"),
    )
    rated.enrol(evening, "2026-06-03")
    rated.enrol(morning, "2026-06-09")
    path = f"/classes/{evening['id']}/enrolments/{rated.student['id']}"
    ok(rated.dojo.admin.delete(f"{path}?until=2026-06-10"), 204)
    rated.dojo.create(f"/students/{rated.student['id']}/holds", {"from": "2026-06-05", "until": "2026-06-06"})
    rated.dojo.create("/closures", {"from": "2026-06-12", "until": "2026-06-12"})
    rated.cancel(rated.sessions(evening)[7])
    rated.attend(rated.sessions(evening)[3])
    rosters = [
        ok(rated.dojo.admin.get(f"/class-sessions/{session['id']}"))
        for training_class in (evening, morning)
        for session in rated.sessions(training_class)
        if session["status"] == "scheduled"
    ]
    expected = [
        one for one in rosters if rated.student["id"] in {line["student"]["id"] for line in one["roster"]}
    ]
    assert len(expected) == 10
    assert rated.share() == "1 of the 10"
