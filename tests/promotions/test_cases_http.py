"""The cases of rank-rules.md as a dojo meets them: presets, rank events, facts and attendance, all over HTTP."""

import pytest

from tatami.tenancy.middleware import host_resolver
from tests.promotions.pupil import EVERY_DAY, Pupil
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done
from tests.support.statements import sent_statements

MOST_STATEMENTS = 12


def test_case_1_two_years_are_not_730_days(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "ibjjf-adult")
    pupil.holds("blue", "2023-03-15")
    early = pupil.ask("purple", "2025-03-14")
    assert (early["status"], early["path"], early["earliest_on"]) == ("not_eligible", "regular", "2025-03-15")
    assert pupil.may_be("purple", "2025-03-15")


def test_case_2_a_wait_ends_with_the_month(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "ibjjf-adult", birth_date="1990-04-01")
    pupil.holds("purple", "2024-08-31")
    assert pupil.misses("brown", "2026-02-27") == {"time_in_rank": (17, 18)}
    assert pupil.may_be("brown", "2026-02-28")


def test_case_5_an_orange_belt_becomes_blue_in_the_year_of_sixteen_and_never_purple(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "ibjjf-adult", birth_date="2010-11-30")
    pupil.holds("orange", "2025-02-01")
    assert pupil.misses("blue", "2025-12-31") == {"age": (15, 16)}
    assert pupil.may_be("blue", "2026-01-01")
    assert pupil.misses("purple", "2026-01-01") == {"step": (None, None)}


def test_case_7_two_reasons_but_none_for_the_world_champion(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "ibjjf-adult", birth_date="2008-05-05")
    pupil.holds("brown", "2026-01-10")
    answer = pupil.ask("black", "2026-06-15")
    assert [(c["kind"], c["status"], c["earliest_on"]) for c in answer["criteria"]] == [
        ("time_in_rank", "not_met", "2027-01-10"),
        ("age", "not_met", "2027-01-01"),
    ]
    assert answer["earliest_on"] == "2027-01-10"
    title = pupil.has("achievement", "Adult World Champion", "2026-06-07")
    champion = pupil.ask("black", "2026-06-15")
    assert (champion["status"], champion["path"]) == ("eligible", "world champion")
    done(dojo.admin.post(f"/facts/{title['id']}/void", {"reason": "Of the wrong belt"}))
    assert not pupil.may_be("black", "2026-06-15")


def test_case_9_the_birthday_comes_a_day_after_the_wait(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kukkiwon", birth_date="2010-03-01")
    pupil.holds("1-dan", "2025-02-28")
    assert pupil.misses("2-dan", "2026-02-28") == {"age": (15, 16)}
    assert pupil.may_be("2-dan", "2026-03-01")


def test_case_11_whether_a_conversion_restarts_the_clock_is_a_setting_of_its_step(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kukkiwon", birth_date="2009-07-07")
    pupil.holds("1-poom", "2023-05-20")
    pupil.holds("1-dan", "2026-07-07", kind="convert")
    restarts = pupil.ask("2-dan", "2026-08-01")
    assert (restarts["status"], restarts["earliest_on"], restarts["rule_version"]) == (
        "not_eligible",
        "2027-07-07",
        1,
    )
    path = f"/rank-systems/{pupil.system['id']}/rules"
    rules = done(dojo.admin.get(path))
    for step in rules["steps"]:
        if step["type"] == "convert":
            step["clock"] = "carries"
    done(dojo.admin.put(path, rules))
    carries = pupil.ask("2-dan", "2026-08-01")
    assert (carries["status"], carries["earliest_on"], carries["rule_version"]) == (
        "eligible",
        "2026-07-07",
        2,
    )


def test_case_13_forty_five_sessions_on_thirty_eight_days(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "aikikai")
    pupil.holds("5-kyu", "2026-01-10")
    pupil.trains("2026-01-11", 38)
    pupil.trains("2026-01-11", 7, start_time="20:30")
    assert pupil.misses("4-kyu", "2026-06-01") == {"attendance_count": (38, 40)}
    pupil.trains("2026-03-01", 2)
    assert pupil.may_be("4-kyu", "2026-06-01")


def test_case_14_the_class_on_the_day_of_the_grade_served_the_grade(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "aikikai")
    pupil.holds("4-kyu", "2026-03-01")
    pupil.has("opening_attendance", 150, "2026-02-28")
    pupil.trains("2026-03-01", 50)
    assert pupil.misses("3-kyu", "2026-06-01") == {"attendance_count": (49, 50)}
    pupil.trains("2026-05-30", 1)
    assert pupil.may_be("3-kyu", "2026-06-01")


def test_case_15_time_and_days_and_an_article(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "aikikai")
    pupil.holds("1-dan", "2025-04-01")
    pupil.has("opening_attendance", 199, "2026-02-01")
    article = pupil.has("document", "article", "2026-03-01")
    assert pupil.misses("2-dan", "2026-04-01") == {"attendance_count": (199, 200)}
    pupil.trains("2026-03-10", 1)
    assert pupil.misses("2-dan", "2026-03-31") == {"time_in_rank": (11, 12)}
    assert pupil.may_be("2-dan", "2026-04-01")
    done(dojo.admin.post(f"/facts/{article['id']}/void", {"reason": "Not hers"}))
    assert pupil.misses("2-dan", "2026-04-01") == {"document": (0, 1)}


def test_case_18_eighth_dan_at_forty_six(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "fik-kendo", birth_date="1980-11-26")
    pupil.holds("7-dan", "2016-11-20")
    assert pupil.misses("8-dan", "2026-11-20") == {"age": (45, 46)}
    assert pupil.may_be("8-dan", "2026-11-26")


def test_case_20_points_of_the_current_dan_trade_against_time(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kodokan-men")
    pupil.holds("1-dan", "2025-01-15")
    pupil.has("points", 3, "2024-06-01")
    pupil.has("points", 3, "2025-06-01")
    three = pupil.ask("2-dan", "2026-07-15")
    assert (three["status"], three["path"], three["earliest_on"]) == ("not_eligible", "fair", "2028-01-15")
    pupil.has("points", 3, "2026-02-01")
    six = pupil.ask("2-dan", "2026-07-15")
    assert (six["status"], six["path"]) == ("eligible", "good")


def test_case_20_points_from_before_the_dan_do_not_count(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kodokan-men")
    pupil.holds("1-dan", "2025-01-15")
    pupil.has("points", 4, "2025-01-14")
    pupil.has("points", 2, "2025-06-01")
    assert pupil.misses("2-dan", "2026-07-15") == {"points": (2, 6)}


def test_case_23_nothing_recorded_is_unknown_and_not_nought(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "aikikai")
    pupil.holds("2-kyu", "2024-09-01")
    answer = pupil.ask("1-kyu", "2026-06-15")
    assert (answer["status"], answer["criteria"][0]["status"]) == ("unknown", "unknown")
    assert (answer["criteria"][0]["have"], answer["criteria"][0]["need"]) == (None, 60)
    pupil.has("opening_attendance", 55, "2026-01-15")
    pupil.trains("2026-02-01", 5)
    assert pupil.may_be("1-kyu", "2026-06-15")


# --- facts that only the newer criteria ask for -----------------------------------------------------------------------


def test_a_share_of_the_classes_for_ones_level_is_counted_from_the_schedule(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kmg-scotland", joined_on="2026-01-31")
    pupil.trains("2026-02-01", 6)
    assert pupil.may_be("p1", "2026-05-31")
    daily = {"weekdays": EVERY_DAY, "start_time": "18:30", "duration_minutes": 60}
    later = {**daily, "from": "2026-02-07", "until": "2026-02-11"}
    factories.training_class(dojo, recurrence=later, discipline=pupil.art["id"])
    for rank in ("p1", "p2"):
        higher = {"recurrence": later, "discipline": pupil.art["id"]}
        factories.training_class(dojo, **higher, min_rank=factories.rank(pupil.system, rank))
    factories.training_class(
        dojo, recurrence=later, discipline=pupil.art["id"], counts_toward_promotion=False
    )
    assert pupil.misses("p1", "2026-05-31") == {"attendance_rate": (54, 60)}
    session = factories.sessions(dojo, **{"from": "2026-02-08", "to": "2026-02-08"})[0]
    factories.attendance(dojo, pupil.who, session)
    assert pupil.may_be("p1", "2026-05-31")


def test_affiliation_holds_and_certificates_decide_about_a_degree(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "ibjjf-adult")
    pupil.holds("black", "2020-01-10")
    assert pupil.ask("black-1", "2026-06-15")["criteria"][0]["status"] == "unknown"
    pupil.has("membership", "IBJJF", "2020-01-01", expires_on="2021-01-10")
    pupil.has("membership", "IBJJF", "2024-01-01")
    pupil.has("credential", "Referee certificate", "2026-01-01")
    assert pupil.may_be("black-1", "2026-06-15")
    hold = {"from": "2024-03-01", "until": "2024-12-31"}
    dojo.create(f"/students/{pupil.who['id']}/holds", hold)
    assert pupil.misses("black-1", "2026-06-15") == {"time_in_rank": (31, 36)}


def test_approvals_know_who_gave_them(dojo: Dojo) -> None:
    asked = [
        {"kind": "approval", "which": "exam", "by": "instructor"},
        {"kind": "skills", "which": ["ukemi"]},
    ]
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}],
        "steps": [{"from": None, "to": "white", "paths": [{"name": "regular", "criteria": asked}]}],
    })  # fmt: skip
    who = factories.student(dojo)
    factories.fact(dojo, who, "approval", "Exam", "2026-06-01")
    factories.fact(dojo, who, "skill", "Ukemi", "2026-06-01")
    body = {"students": [who["id"]], "rank_system": system["id"]}

    def status() -> list[str]:
        (answer,) = done(dojo.admin.post("/promotions/check", body))["results"]
        return [criterion["status"] for criterion in answer["criteria"]]

    assert status() == ["not_met", "met"]
    fact = {"kind": "approval", "value": "exam", "on": "2026-06-02"}
    done(dojo.instructor.post(f"/students/{who['id']}/facts", fact), 201)
    assert status() == ["met", "met"]


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("students", [1, 12])
def test_a_check_sends_at_most_twelve_statements_whatever_their_number(
    dojo: Dojo, students: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction's own included: within a test's transaction they are SAVEPOINT and RELEASE."""
    art = factories.discipline(dojo)
    system = factories.rank_system(dojo, discipline=art["id"])
    for _ in range(students):
        who = factories.student(dojo)
        factories.rank_event(dojo, who, factories.rank(system, "5-kyu"), "2026-01-01")
        factories.fact(dojo, who, "opening_attendance", 10, "2026-06-01")
    dojo.admin.post("/promotions/check", {})
    # Reading the routing epoch twice a second is the process's statement, not the check's.
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)
    with sent_statements() as statements:
        answers = done(dojo.admin.post("/promotions/check", {}))["results"]
    assert len(answers) == students
    assert len(statements) <= MOST_STATEMENTS, statements
