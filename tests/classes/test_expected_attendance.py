"""How much attendance a class expects: numbers within bounds, and no text that Python would take for one."""

from typing import Any

import pytest

from tests.classes.schedules import MONDAYS, a_class
from tests.support.clients import Dojo
from tests.support.responses import invalid


@pytest.mark.parametrize("said", [{"per_week": 2, "rate": 0.8}, {"per_week": 1.5}, {"rate": 1}, {}])
def test_it_is_kept(dojo: Dojo, said: dict[str, Any]) -> None:
    assert a_class(dojo, expected_attendance=said)["expected_attendance"] == said


@pytest.mark.parametrize("value", ["NaN", "nan", "Infinity", "-Infinity", "1e999", None, -1, 51, 1e300])
@pytest.mark.parametrize("name", ["per_week", "rate"])
def test_what_is_no_number_within_the_bounds_is_refused(dojo: Dojo, name: str, value: Any) -> None:
    body = {"name": "Evening", "recurrence": MONDAYS, "expected_attendance": {name: value}}
    invalid(dojo.admin.post("/classes", body), f"expected_attendance.{name}")
