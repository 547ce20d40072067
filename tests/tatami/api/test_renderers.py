"""How each type of value is encoded in a response."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils.translation import gettext_lazy

from tatami import clock
from tatami.api.renderers import json_bytes

NAIVE = datetime(2025, 1, 31)  # noqa: DTZ001
ID = UUID("0190a5a2-3b1c-7def-8000-000000000001")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (datetime(2025, 1, 31, 18, 30, tzinfo=UTC), b'"2025-01-31T18:30:00Z"'),
        (
            datetime(2025, 1, 31, 18, 30, 0, 5, tzinfo=timezone(timedelta(hours=-3))),
            b'"2025-01-31T21:30:00.000005Z"',
        ),
        (date(2025, 1, 31), b'"2025-01-31"'),
        (time(18, 30), b'"18:30:00"'),
        (ID, b'"0190a5a2-3b1c-7def-8000-000000000001"'),
        (Decimal("12"), b"12"),
        (Decimal("0.75"), b"0.75"),
        (Decimal("1E+2"), b"100"),
        (Decimal("0.12345678901234567890123"), b'"0.12345678901234567890123"'),
        (gettext_lazy("rank"), b'"rank"'),
        ("Conceição 柔道", '"Conceição 柔道"'.encode()),
        ({"a": [None, True]}, b'{"a":[null,true]}'),
    ],
)
def test_each_type_is_encoded_in_one_way(value: Any, encoded: bytes) -> None:
    assert json_bytes(value) == encoded


@pytest.mark.parametrize("value", [NAIVE, object(), b"bytes", {1, 2}, Decimal("NaN"), "\ud800"])
def test_other_types_raise_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        json_bytes(value)


def test_a_response_is_json(anonymous: Client) -> None:
    with clock.fixed(datetime(2025, 1, 31, 18, 30, tzinfo=UTC)):
        response = anonymous.get("/open?a=1")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["now"] == "2025-01-31T18:30:00Z"
