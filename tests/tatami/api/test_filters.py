"""The values of query parameters that filter a list."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tatami.api.filters import (
    Filter,
    by_id,
    on_or_after,
    one_of,
    read_bool,
    read_date,
    read_date_or_instant,
    read_one_of,
    read_parameter,
    read_whole_number,
    since,
    until,
    yes_or_no,
)
from tatami.errors import Invalid
from tatami.tenancy.scope import TenantScope, tenant_scope


def conditions_of(one: Filter, text: str) -> dict[str, Any]:
    return {one.lookup: read_parameter({"from": text}, "from", one.read, default=None)}


def test_ids_choices_booleans_and_dates_are_read() -> None:
    key = uuid4()
    assert conditions_of(by_id("student_id"), str(key).upper()) == {"student_id": UUID(str(key))}
    assert conditions_of(one_of("status", ["trial", "active"]), "trial") == {"status": "trial"}
    assert conditions_of(yes_or_no("late"), "true") == {"late": True}
    assert conditions_of(yes_or_no("ended_at__isnull", inverted=True), "true") == {"ended_at__isnull": False}
    assert conditions_of(on_or_after("on"), "2025-01-31") == {"on__gte": date(2025, 1, 31)}


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (by_id("id"), "5"),
        (by_id("id"), "{0190a5a2-3b1c-7def-8000-000000000001}"),
        (one_of("status", ["trial"]), "Trial"),
        (yes_or_no("late"), "1"),
        (on_or_after("on"), "20250131"),
        (on_or_after("on"), "2025-02-30"),
        (on_or_after("on"), "2025-W05-5"),
        (since("at"), "2025-01-31T18:30:00"),
        (since("at"), "yesterday"),
        (until("at"), "9999-12-31"),
        (since("at"), "0001-01-01T00:00:00+14:00"),
    ],
)
def test_an_invalid_value_is_refused_with_the_name_of_the_parameter(one: Any, text: str) -> None:
    with pytest.raises(Invalid) as error:
        conditions_of(one, text)
    assert list(error.value.details or {}) == ["from"]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (read_whole_number(1), "999999999", 999_999_999),
        (read_whole_number(1, 5), "5", 5),
        (read_one_of(["day", "week"]), "week", "week"),
        (read_date_or_instant, "2025-01-31", date(2025, 1, 31)),
        (read_date_or_instant, "2025-01-31T18:30:00+02:00", datetime(2025, 1, 31, 16, 30, tzinfo=UTC)),
    ],
)
def test_a_parameter_is_read_or_has_its_default(read: Any, text: str, value: object) -> None:
    assert read_parameter({"of": text}, "of", read, default=None) == value
    assert read_parameter({}, "of", read, default=value) == value


@pytest.mark.parametrize(
    ("read", "texts", "accepted"),
    [
        (read_whole_number(1), ["0", "-1", "1.5", "１", "", "1000000000"], "a whole number of at least 1"),
        (read_whole_number(1, 5), ["0", "6"], "a whole number from 1 to 5"),
        (read_one_of(["day", "week"]), ["Day", ""], "one of: day, week"),
        (read_bool, ["True", "1"], "true or false"),
        (read_date, ["20250131", "2025-02-30"], "a date: YYYY-MM-DD"),
        (read_date_or_instant, ["2025-01-31T18:30:00", "today"], "a date (YYYY-MM-DD) or an instant"),
    ],
)
def test_a_refusal_says_what_is_accepted(read: Any, texts: list[str], accepted: str) -> None:
    for text in texts:
        with pytest.raises(Invalid) as error:
            read_parameter({"of": text}, "of", read, default=None)
        (message,) = (error.value.details or {})["of"]
        assert message.startswith(f"This must be {accepted}")


def dojo_in(zone: str) -> TenantScope:
    return TenantScope("t_1", uuid4(), "budo", "Budo", zone, "active", "budo.localhost")


@pytest.mark.parametrize(
    ("bound", "zone", "text", "instant"),
    [
        (since, "Asia/Tokyo", "2025-01-31", datetime(2025, 1, 30, 15, tzinfo=UTC)),
        (until, "Asia/Tokyo", "2025-01-31", datetime(2025, 1, 31, 15, tzinfo=UTC)),
        (until, "Europe/Berlin", "2025-03-30", datetime(2025, 3, 30, 22, tzinfo=UTC)),
        (since, "Asia/Tokyo", "2025-01-31T18:30:00+02:00", datetime(2025, 1, 31, 16, 30, tzinfo=UTC)),
        (until, "Asia/Tokyo", "2025-01-31T18:30:00Z", datetime(2025, 1, 31, 18, 30, tzinfo=UTC)),
    ],
)
def test_a_date_is_local_and_included_and_an_instant_is_excluded(
    bound: Callable[[str], Any], zone: str, text: str, instant: datetime
) -> None:
    with tenant_scope(dojo_in(zone)):
        assert list(conditions_of(bound("at"), text).values()) == [instant]
