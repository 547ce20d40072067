"""Messages for parents: one for every kind and status."""

from datetime import date

import pytest

from tenant_apps.promotions.engine import ENGLISH, Status, evaluate
from tenant_apps.ranks.criteria import KINDS
from tests.promotions.engine.factories import (
    awarded,
    days_in_a_row,
    facts,
    handed_in,
    imported,
    ladder,
    result_for,
    trained,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", Status)
def test_every_kind_has_a_message_for_every_status(kind: str, status: Status) -> None:
    assert (kind, status) in ENGLISH


DAYS = {"kind": "attendance_count", "n": 5, "unit": "day"}
HELD = awarded("a", "2026-01-01")


@pytest.mark.parametrize(
    ("criterion", "student", "message"),
    [
        (
            {"kind": "time_in_rank", "months": 1},
            facts(HELD),
            "Has held A for 5 months; 1 is needed.",
        ),
        (
            {"kind": "time_in_rank", "months": 12},
            facts(HELD),
            "Has held A for 5 of 12 months; enough on 1 January 2027.",
        ),
        (
            DAYS,
            facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 4))),
            "Trained on 4 of 5 days since A; 1 more is needed.",
        ),
        (
            DAYS,
            facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 6))),
            "Trained on 6 days since A; 5 are needed.",
        ),
        (
            DAYS | {"unit": "session", "since": "ever"},
            facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 1))),
            "Took part in 1 of 5 sessions; 4 more are needed.",
        ),
        (
            DAYS | {"unit": "hour"},
            facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 1), minutes=90)),
            "Trained 1.5 of 5 hours since A; 3.5 more are needed.",
        ),
        (
            DAYS,
            facts(imported("a", "2026-01-01")),
            "5 days of training since A are needed, but no training is recorded, here or from before.",
        ),
        (
            {"kind": "age", "min": 16},
            facts(HELD, born="2010-07-07"),
            "Is 15 years old; the age must be at least 16, which is reached on 7 July 2026.",
        ),
        (
            {"kind": "age", "max": 14},
            facts(HELD, born="2010-07-07"),
            "Is 15 years old; the age must be under 15.",
        ),
        (
            {"kind": "age", "min": 10, "max": 15, "basis": "birth_year"},
            facts(HELD, born="2011-07-07"),
            "Turns 15 in the calendar year; the age must be from 10 to 15.",
        ),
        (
            {"kind": "document", "which": "medical_certificate", "since": "ever"},
            facts(HELD),
            "Medical certificate: not handed in, or no longer valid.",
        ),
        (
            {"kind": "document", "which": "essay"},
            facts(HELD, documents=(handed_in("essay", "2026-02-02"),)),
            "Essay: handed in.",
        ),
    ],
)
def test_a_message_says_what_there_is_and_what_is_needed(criterion, student, message) -> None:  # type: ignore[no-untyped-def]
    (result,) = result_for(ladder(criterion), student, "2026-06-01", "b").criteria
    assert result.message == message


def test_another_language_is_another_table() -> None:
    portuguese = {**ENGLISH, ("age", Status.MET): lambda _, context: f"Tem {context.have} anos."}
    student = facts(HELD, born="2000-01-01")
    (result,) = evaluate(ladder({"kind": "age", "min": 16}), student, date(2026, 6, 1), messages=portuguese)
    assert result.criteria[0].message == "Tem 26 anos."
