from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tatami.api.filters import by_id, on_or_after, one_of, since, until, yes_or_no
from tatami.errors import Invalid
from tatami.tenancy.scope import TenantScope, tenant_scope


class Rows:
    """Remembers what it was narrowed by, as a queryset would."""

    def __init__(self) -> None:
        self.conditions: dict[str, Any] = {}

    def filter(self, **conditions: Any) -> "Rows":
        self.conditions.update(conditions)
        return self


def narrowed(one: Any, text: str) -> dict[str, Any]:
    found: dict[str, Any] = one.narrow(Rows(), "from", text).conditions
    return found


def test_an_id_a_choice_a_flag_and_a_day_are_read() -> None:
    key = uuid4()
    assert narrowed(by_id("student_id"), str(key).upper()) == {"student_id": UUID(str(key))}
    assert narrowed(one_of("status", ["trial", "active"]), "trial") == {"status": "trial"}
    assert narrowed(yes_or_no("late"), "true") == {"late": True}
    assert narrowed(yes_or_no("ended_at__isnull", inverted=True), "true") == {"ended_at__isnull": False}
    assert narrowed(on_or_after("on"), "2025-01-31") == {"on__gte": date(2025, 1, 31)}


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
def test_what_cannot_be_read_is_refused_by_the_parameters_name(one: Any, text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        narrowed(one, text)
    assert list(refusal.value.details or {}) == ["from"]


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
def test_a_day_is_the_dojos_and_included_an_instant_is_nobodys_and_excluded(
    bound: Callable[[str], Any], zone: str, text: str, instant: datetime
) -> None:
    with tenant_scope(dojo_in(zone)):
        assert list(narrowed(bound("at"), text).values()) == [instant]
