"""The cases of docs/rank-rules.md with presets, rank events, facts and attendance, all over HTTP.

The number of a case is that of the table "Cases" there.
"""

from datetime import date

import pytest

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import StudentFact
from tests.promotions.factories import EVERY_DAY, RankedStudent
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.statements import sent_statements

MOST_STATEMENTS = 12


def test_case_1_two_years_are_not_730_days(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="1990-05-05")
    ranked.add_rank("blue", "2023-03-15")
    assert (date(2025, 3, 14) - date(2023, 3, 15)).days == 730
    early = ranked.check("purple", "2025-03-14")
    assert (early["status"], early["path"], early["earliest_on"]) == ("not_eligible", "regular", "2025-03-15")
    (unmet,) = (criterion for criterion in early["criteria"] if criterion["status"] != "met")
    assert (unmet["kind"], unmet["need"], unmet["earliest_on"]) == ("time_in_rank", 24, "2025-03-15")
    assert ranked.is_eligible("purple", "2025-03-15")


def test_case_2_a_wait_ends_with_the_month(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="1990-04-01")
    ranked.add_rank("purple", "2024-08-31")
    assert ranked.unmet("brown", "2026-02-27") == {"time_in_rank": (17, 18)}
    assert ranked.is_eligible("brown", "2026-02-28")


def test_case_5_an_orange_belt_becomes_blue_in_the_year_of_sixteen_and_never_purple(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="2010-11-30")
    ranked.add_rank("orange", "2025-02-01")
    assert ranked.unmet("blue", "2025-12-31") == {"age": (15, 16)}
    assert ranked.is_eligible("blue", "2026-01-01")
    assert ranked.unmet("purple", "2026-01-01") == {"step": (None, None)}


def test_case_7_two_reasons_unless_world_champion(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="2008-05-05")
    ranked.add_rank("brown", "2026-01-10")
    answer = ranked.check("black", "2026-06-15")
    assert [(c["kind"], c["status"], c["earliest_on"]) for c in answer["criteria"]] == [
        ("time_in_rank", "not_met", "2027-01-10"),
        ("age", "not_met", "2027-01-01"),
        ("standing", "met", None),
    ]
    assert answer["earliest_on"] == "2027-01-10"
    title = ranked.add_fact("achievement", "Adult World Champion", "2026-06-07")
    champion = ranked.check("black", "2026-06-15")
    assert (champion["status"], champion["path"]) == ("eligible", "world champion")
    ok(dojo.admin.post(f"/facts/{title['id']}/void", {"reason": "Of the wrong belt"}))
    assert not ranked.is_eligible("black", "2026-06-15")


def test_case_9_the_birthday_comes_a_day_after_the_wait(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2010-03-01")
    ranked.add_rank("1-dan", "2025-02-28")
    assert ranked.unmet("2-dan", "2026-02-28") == {"age": (15, 16)}
    assert ranked.earliest("2-dan", "2026-02-28", "age") == "2026-03-01"
    assert ranked.is_eligible("2-dan", "2026-03-01")


def test_case_11_whether_a_conversion_restarts_the_clock_is_a_setting_of_its_step(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2009-07-07")
    ranked.add_rank("1-poom", "2023-05-20")
    ranked.add_rank("1-dan", "2026-07-07", kind="convert")
    restarts = ranked.check("2-dan", "2026-08-01")
    assert (restarts["status"], restarts["earliest_on"], restarts["rule_version"]) == (
        "not_eligible",
        "2027-07-07",
        1,
    )
    path = f"/rank-systems/{ranked.system['id']}/rules"
    rules = ok(dojo.admin.get(path))
    for step in rules["steps"]:
        if step["type"] == "convert":
            step["clock"] = "carries"
    ok(dojo.admin.put(path, rules))
    carries = ranked.check("2-dan", "2026-08-01")
    assert (carries["status"], carries["earliest_on"], carries["rule_version"]) == (
        "eligible",
        "2026-07-07",
        2,
    )


def test_case_13_forty_five_sessions_on_thirty_eight_days(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("5-kyu", "2026-01-10")
    ranked.add_training("2026-01-11", 38)
    ranked.add_training("2026-01-11", 7, start_time="20:30")
    assert ranked.unmet("4-kyu", "2026-06-01") == {"attendance_count": (38, 40)}
    ranked.add_training("2026-03-01", 2)
    assert ranked.is_eligible("4-kyu", "2026-06-01")


def test_case_14_the_class_on_the_day_of_the_grade_does_not_count(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("4-kyu", "2026-03-01")
    ranked.add_fact("opening_attendance", 150, "2026-02-28")
    ranked.add_training("2026-03-01", 50)
    assert ranked.unmet("3-kyu", "2026-06-01") == {"attendance_count": (49, 50)}
    ranked.add_training("2026-05-30", 1)
    assert ranked.is_eligible("3-kyu", "2026-06-01")


def test_case_14_attendance_counts_from_its_day_on(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("4-kyu", "2026-03-01")
    ranked.add_fact("opening_attendance", 150, "2026-02-01")
    ranked.add_training("2026-03-01", 51)
    assert ranked.unmet("3-kyu", "2026-04-19") == {"attendance_count": (49, 50)}
    assert ranked.is_eligible("3-kyu", "2026-04-20")


def test_case_15_the_earliest_date_is_the_end_of_the_wait_if_all_else_is_met(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("1-dan", "2025-04-01")
    ranked.add_fact("opening_attendance", 255, "2026-01-01")
    ranked.add_training("2026-02-01", 5)
    ranked.add_fact("document", "article", "2026-01-05")
    assert list(ranked.unmet("2-dan", "2026-03-31")) == ["time_in_rank"]
    assert ranked.earliest("2-dan", "2026-03-31", "time_in_rank") == "2026-04-01"
    assert ranked.check("2-dan", "2026-03-31")["earliest_on"] == "2026-04-01"
    assert ranked.is_eligible("2-dan", "2026-04-01")


def test_case_15_every_missing_criterion_is_listed(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("1-dan", "2025-04-01")
    ranked.add_fact("opening_attendance", 190, "2026-01-01")
    ranked.add_training("2026-02-01", 9)
    ranked.add_fact("document", "essay", "2026-01-05")
    unmet = ranked.unmet("2-dan", "2026-04-01")
    assert set(unmet) == {"attendance_count", "document"}
    assert unmet["attendance_count"] == (199, 200)
    ranked.add_training("2026-03-01", 1)
    assert list(ranked.unmet("2-dan", "2026-04-01")) == ["document"]
    ranked.add_fact("document", "article", "2026-03-02")
    assert ranked.is_eligible("2-dan", "2026-04-01")


def test_case_15_time_and_days_and_an_article(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("1-dan", "2025-04-01")
    ranked.add_fact("opening_attendance", 199, "2026-02-01")
    article = ranked.add_fact("document", "article", "2026-03-01")
    assert ranked.unmet("2-dan", "2026-04-01") == {"attendance_count": (199, 200)}
    ranked.add_training("2026-03-10", 1)
    assert ranked.unmet("2-dan", "2026-03-31") == {"time_in_rank": (11, 12)}
    assert ranked.is_eligible("2-dan", "2026-04-01")
    ok(dojo.admin.post(f"/facts/{article['id']}/void", {"reason": "Of another student"}))
    assert ranked.unmet("2-dan", "2026-04-01") == {"document": (0, 1)}


def test_case_18_eighth_dan_at_forty_six(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "fik-kendo", birth_date="1980-11-26")
    ranked.add_rank("7-dan", "2016-11-20")
    assert ranked.unmet("8-dan", "2026-11-20") == {"age": (45, 46)}
    assert ranked.earliest("8-dan", "2026-11-20", "age") == "2026-11-26"
    assert ranked.is_eligible("8-dan", "2026-11-26")


def test_case_20_points_of_the_current_dan_trade_against_time(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kodokan-men")
    ranked.add_rank("1-dan", "2025-01-15")
    ranked.add_fact("points", 3, "2024-06-01")
    ranked.add_fact("points", 3, "2025-06-01")
    three = ranked.check("2-dan", "2026-07-15")
    assert (three["status"], three["path"], three["earliest_on"]) == ("not_eligible", "fair", "2028-01-15")
    ranked.add_fact("points", 3, "2026-02-01")
    six = ranked.check("2-dan", "2026-07-15")
    assert (six["status"], six["path"]) == ("eligible", "good")


def test_case_20_points_from_before_the_dan_do_not_count(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kodokan-men")
    ranked.add_rank("1-dan", "2025-01-15")
    ranked.add_fact("points", 4, "2025-01-14")
    ranked.add_fact("points", 2, "2025-06-01")
    assert ranked.unmet("2-dan", "2026-07-15") == {"points": (2, 6)}


def test_case_23_nothing_recorded_is_unknown_and_not_zero(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("2-kyu", "2024-09-01")
    answer = ranked.check("1-kyu", "2026-06-15")
    assert answer["status"] == "unknown"
    criterion, _ = answer["criteria"]
    assert (criterion["status"], criterion["have"], criterion["need"]) == ("unknown", None, 60)
    ranked.add_fact("opening_attendance", 55, "2026-01-15")
    assert ranked.unmet("1-kyu", "2026-06-15") == {"attendance_count": (55, 60)}
    ranked.add_training("2026-02-01", 5)
    assert ranked.is_eligible("1-kyu", "2026-06-15")


# --- facts of the newer criteria ------------------------------------------------------------------------------


def test_the_attendance_rate_is_counted_from_the_scheduled_classes_of_the_students_level(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kmg-scotland", joined_on="2026-01-31")
    ranked.add_training("2026-02-01", 6)
    assert ranked.is_eligible("p1", "2026-05-31")
    daily = {"weekdays": EVERY_DAY, "start_time": "18:30", "duration_minutes": 60}
    later = {**daily, "from": "2026-02-07", "until": "2026-02-11"}
    factories.training_class(dojo, recurrence=later, discipline=ranked.art["id"])
    for rank in ("p1", "p2"):
        higher = {"recurrence": later, "discipline": ranked.art["id"]}
        factories.training_class(dojo, **higher, min_rank=factories.rank_id(ranked.system, rank))
    factories.training_class(
        dojo, recurrence=later, discipline=ranked.art["id"], counts_toward_promotion=False
    )
    assert ranked.unmet("p1", "2026-05-31") == {"attendance_rate": (54, 60)}
    session = factories.list_sessions(dojo, **{"from": "2026-02-08", "to": "2026-02-08"})[0]
    factories.attendance(dojo, ranked.student, session)
    assert ranked.is_eligible("p1", "2026-05-31")


def test_a_degree_depends_on_affiliation_holds_and_certificates(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult")
    ranked.add_rank("black", "2020-01-10")
    assert ranked.check("black-1", "2026-06-15")["criteria"][0]["status"] == "unknown"
    ranked.add_fact("membership", "IBJJF", "2020-01-01", expires_on="2021-01-10")
    ranked.add_fact("membership", "IBJJF", "2024-01-01")
    ranked.add_fact("credential", "Referee certificate", "2026-01-01")
    assert ranked.is_eligible("black-1", "2026-06-15")
    hold = {"from": "2024-03-01", "until": "2024-12-31"}
    dojo.create(f"/students/{ranked.student['id']}/holds", hold)
    assert ranked.unmet("black-1", "2026-06-15") == {"time_in_rank": (31, 36)}


def test_an_approval_counts_by_the_role_that_gave_it(dojo: Dojo) -> None:
    asked = [
        {"kind": "approval", "which": "exam", "by": "admin"},
        {"kind": "approval", "which": "exam", "by": "instructor"},
        {"kind": "skills", "which": ["ukemi"]},
    ]
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}],
        "steps": [{"from": None, "to": "white", "paths": [{"name": "regular", "criteria": asked}]}],
    })  # fmt: skip
    student = factories.student(dojo)
    factories.fact(dojo, student, "skill", "Ukemi", "2026-06-01")
    body = {"students": [student["id"]], "rank_system": system["id"]}

    def status() -> list[str]:
        (answer,) = ok(dojo.admin.post("/promotions/check", body))["results"]
        return [criterion["status"] for criterion in answer["criteria"]]

    assert status() == ["not_met", "not_met", "met"]
    fact = {"kind": "approval", "value": "exam", "on": "2026-06-02"}
    ok(dojo.instructor.post(f"/students/{student['id']}/facts", fact), 201)
    assert status() == ["not_met", "met", "met"]
    factories.fact(dojo, student, "approval", "Exam", "2026-06-03")
    assert status() == ["met", "met", "met"]


def test_an_approval_by_a_higher_role_counts_and_one_for_oneself_or_ones_child_does_not(dojo: Dojo) -> None:
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}],
        "steps": [{"from": None, "to": "white", "paths": [{"name": "regular", "criteria": [
            {"kind": "approval", "which": "exam", "by": "instructor"},
        ]}]}],
    })  # fmt: skip
    student = factories.student(dojo)
    body = {"students": [student["id"]], "rank_system": system["id"]}
    fact = {"kind": "approval", "value": "exam", "on": "2026-06-02"}

    def status() -> str:
        (answer,) = ok(dojo.admin.post("/promotions/check", body))["results"]
        return str(answer["status"])

    with tenant_scope(dojo.tenant):
        StudentFact.objects.create(
            student_id=student["id"],
            kind="approval",
            value="exam",
            on="2026-06-01",
            recorded_by=dojo.instructor.user,
        )
    assert status() == "eligible"
    factories.link_user(dojo, dojo.instructor, student)
    assert status() == "not_eligible", "an instructor does not approve themselves"
    ok(dojo.admin.post(f"/students/{student['id']}/facts", fact), 201)
    assert status() == "eligible", "an admin is above an instructor"


# --- statements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("students", [1, 12])
def test_a_check_sends_at_most_twelve_statements_for_any_number_of_students(
    dojo: Dojo, students: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statements of the transaction count, too: within a test they are SAVEPOINT and RELEASE."""
    art = factories.discipline(dojo)
    system = factories.rank_system(dojo, discipline=art["id"])
    for _ in range(students):
        student = factories.student(dojo)
        factories.rank_event(dojo, student, factories.rank_id(system, "5-kyu"), "2026-01-01")
        factories.fact(dojo, student, "opening_attendance", 10, "2026-06-01")
    dojo.admin.post("/promotions/check", {})
    # The process reads the routing epoch twice a second; that statement is not part of the check.
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)
    with sent_statements() as statements:
        answers = ok(dojo.admin.post("/promotions/check", {}))["results"]
    assert len(answers) == students
    assert len(statements) <= MOST_STATEMENTS, statements
