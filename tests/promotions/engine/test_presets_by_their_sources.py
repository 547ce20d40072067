"""Cases read from the sources of presets, with dates worked out by hand."""

import pytest

from tenant_apps.promotions.engine import Approval, Eligibility, StudentFacts
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import awarded, day, facts, result_for

ELIGIBLE, NOT_ELIGIBLE = Eligibility.ELIGIBLE, Eligibility.NOT_ELIGIBLE


def given(which: str, on: str) -> Approval:
    return Approval(which=which, on=day(on), by="Ono", role="instructor")


@pytest.mark.parametrize(
    ("key", "held", "since", "born", "target", "opens", "path"),
    [
        # DJB: six months and the year of the eighth birthday.
        ("djb-judo", "8-kyu", "2025-10-01", "2018-12-24", "7-kyu", "2026-04-01", "regular"),
        ("djb-judo", "8-kyu", "2025-03-01", "2018-12-24", "7-kyu", "2026-01-01", "regular"),
        # Older than 14: three months up to 3rd kyu, six months after it.
        ("djb-judo", "4-kyu", "2026-01-10", "2010-01-01", "3-kyu", "2026-04-10", "older than 14"),
        ("djb-judo", "3-kyu", "2026-01-10", "2010-01-01", "2-kyu", "2026-07-10", "regular"),
        # ITF: 4 months as 8th kup, 5 as 3rd, a year and a half as 1st dan.
        ("itf-taekwondo", "8-kup", "2026-01-31", None, "7-kup", "2026-05-31", "regular"),
        ("itf-taekwondo", "3-kup", "2026-01-31", None, "2-kup", "2026-06-30", "regular"),
        ("itf-taekwondo", "1-dan", "2024-08-31", None, "2-dan", "2026-02-28", "regular"),
        ("itf-taekwondo", "8-dan", "2018-05-05", None, "9-dan", "2026-05-05", "regular"),
        # Muay Thai: the fourth Khan has a qualifying period of four months, the ninth of five.
        ("ifma-muaythai", "khan-3", "2026-01-15", None, "khan-4", "2026-05-15", "regular"),
        ("ifma-muaythai", "khan-8", "2026-01-15", None, "khan-9", "2026-06-15", "regular"),
    ],
)
def test_a_step_opens_on_the_day_of_its_source(
    key: str, held: str, since: str, born: str | None, target: str, opens: str, path: str
) -> None:
    student = facts(awarded(held, since), born=born)
    eve = day(opens).fromordinal(day(opens).toordinal() - 1)
    assert result_for(preset(key), student, eve, target).status is NOT_ELIGIBLE
    result = result_for(preset(key), student, opens, target)
    assert (result.status, result.path) == (ELIGIBLE, path)


def student(held: str, since: str, born: str, *approvals: Approval) -> StudentFacts:
    return facts(awarded(held, since), born=born, approvals=approvals)


def test_a_judoka_may_be_examined_early_from_the_binding_age_with_an_approval() -> None:
    """For 3rd kyu eleven full years are binding; the year of the twelfth birthday is recommended."""
    rules = preset("djb-judo")
    approved = given("early-exam", "2026-02-01")
    on_birthday = student("4-kyu", "2026-01-10", "2015-02-20", approved)
    assert result_for(rules, on_birthday, "2026-02-19", "3-kyu").status is NOT_ELIGIBLE
    result = result_for(rules, on_birthday, "2026-02-20", "3-kyu")
    assert (result.status, result.path) == (ELIGIBLE, "exception")
    without = student("4-kyu", "2026-01-10", "2015-02-20")
    assert result_for(rules, without, "2026-02-20", "3-kyu").status is NOT_ELIGIBLE


def test_the_khan_commission_approves_from_the_tenth_khan_on() -> None:
    rules = preset("ifma-muaythai")
    waited = facts(awarded("khan-9", "2025-01-01"))
    assert result_for(rules, waited, "2026-01-01", "khan-10").status is NOT_ELIGIBLE
    approved = facts(awarded("khan-9", "2025-01-01"), approvals=(given("khan-commission", "2025-12-01"),))
    assert result_for(rules, approved, "2026-01-01", "khan-10").status is ELIGIBLE


def test_a_child_gets_a_stripe_each_quarter_and_the_next_belt_after_a_year() -> None:
    rules = preset("ibjjf-kids-quarterly")
    grey, born = awarded("grey", "2025-01-20"), "2017-05-05"
    quarters = ("2025-04-20", "2025-07-20", "2025-10-20")
    for number, on in enumerate(quarters, start=1):
        earlier = [awarded(f"grey-{n}", day) for n, day in enumerate(quarters[: number - 1], start=1)]
        approved = given("professor", f"{on[:-2]}01")
        child = facts(grey, *earlier, born=born, approvals=(approved,))
        eve = day(on).fromordinal(day(on).toordinal() - 1)
        assert result_for(rules, child, eve, f"grey-{number}").status is NOT_ELIGIBLE
        assert result_for(rules, child, on, f"grey-{number}").status is ELIGIBLE
    stripes = [awarded(f"grey-{n}", on) for n, on in enumerate(quarters, start=1)]
    approvals = (given("professor", "2026-01-10"),)
    ready = facts(grey, *stripes, born=born, approvals=approvals)
    assert result_for(rules, ready, "2026-01-19", "grey-black").status is NOT_ELIGIBLE
    assert result_for(rules, ready, "2026-01-20", "grey-black").status is ELIGIBLE
    two = facts(grey, *stripes[:2], born=born, approvals=approvals)
    assert result_for(rules, two, "2026-01-20", "grey-black").status is NOT_ELIGIBLE


def test_children_below_seven_do_not_get_a_yellow_belt() -> None:
    rules = preset("ibjjf-kids-quarterly")
    stripes = [awarded(f"grey-black-{n}", "2025-06-01") for n in (1, 2, 3)]
    for born, status in (("2020-12-31", NOT_ELIGIBLE), ("2019-12-31", ELIGIBLE)):
        child = facts(
            awarded("grey-black", "2025-01-01"),
            *stripes,
            born=born,
            approvals=(given("professor", "2025-06-01"),),
        )
        assert result_for(rules, child, "2026-03-01", "yellow-white").status is status
