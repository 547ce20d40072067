"""The bodies of scans that are read without a serializer: the values and the errors are those of the serializer."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from rest_framework.serializers import ValidationError

from tenant_apps.attendance.check_in.offline import MAX_SEQ
from tenant_apps.attendance.serializers import ScanSerializer, SyncSerializer
from tenant_apps.attendance.views.scans import read_scan, read_upload

ODD = st.sampled_from(
    [None, True, 0, -1, 1.0, 2**53, 2**53 + 1, "", " ", "a b", " a", "a\n", "\x00", "\ud800", "é", "e\u0301", "Ａ",
     [], {}, [1], "x" * 100, "x" * 101, "x" * 2_000, "x" * 2_001, "2025-01-31", "2025-01-31T18:30:00",
     "2025-01-31T18:30:00Z", "2025-01-31 18:30Z", "2025-02-30T18:30:00Z", "0001-01-01T00:00:00+02:00",
     "2025-01-31T18:30:00.1234567+05:30", "٢٠٢٥-01-31T18:30:00Z", "20250131T183000Z", "2025-W05-5T18:30:00Z"]
)  # fmt: skip
UUIDS = st.uuids().flatmap(
    lambda one: st.sampled_from([str(one), str(one).upper(), one.hex, f"{{{one}}}", one.urn, one.int])
)
INSTANTS = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
TOKENS = st.text(min_size=1, max_size=60)
SCAN = {
    "token": TOKENS | ODD,
    "class_session": UUIDS | ODD,
    "nonce": TOKENS | ODD,
    "scanned_at": INSTANTS | ODD,
}
SCANS = st.fixed_dictionaries({}, optional={**SCAN, "student": UUIDS | ODD, "else": ODD}) | ODD
OFFLINE_SCAN = {**SCAN, "seq": st.integers(-1, MAX_SEQ + 1) | ODD}
ORDINARY = {"token": st.just("t"), "nonce": st.just("n"), "scanned_at": INSTANTS}
UPLOADS = st.fixed_dictionaries(
    {},
    optional={
        "sent_at": INSTANTS | ODD,
        "scans": st.lists(
            st.fixed_dictionaries({}, optional=OFFLINE_SCAN) | st.fixed_dictionaries(ORDINARY), max_size=3
        )
        | ODD,
        "else": ODD,
    },
)


def request_with(body: Any, role: str) -> Any:
    return SimpleNamespace(data=body, user=SimpleNamespace(role=role))


def outcome(read: Any, request: Any) -> Any:
    """Return the values, or the errors."""
    try:
        return comparable(read(request))
    except ValidationError as error:
        return error.get_full_details()


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return type(value), value, getattr(value, "tzinfo", None)


def by(serializer_class: Any) -> Any:
    def read(request: Any) -> Any:
        serializer = serializer_class(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    return read


@given(SCANS, st.sampled_from(["student", "instructor", "device"]))
def test_a_scan_is_read_as_its_serializer_does(body: Any, role: str) -> None:
    request = request_with(body, role)
    assert outcome(read_scan, request) == outcome(by(ScanSerializer), request)


@given(UPLOADS)
def test_an_upload_is_read_as_its_serializer_does(body: Any) -> None:
    request = request_with(body, "device")
    assert outcome(read_upload, request) == outcome(by(SyncSerializer), request)


def test_ordinary_scans_need_no_serializer(monkeypatch: Any) -> None:
    monkeypatch.setattr("tenant_apps.attendance.views.scans._validated", None)
    named = str(UUID(int=7))
    scan = {"token": "AQ", "class_session": named, "nonce": named, "scanned_at": "2025-01-31T18:30:00+01:00"}
    assert read_scan(request_with(scan, "device"))["scanned_at"] == datetime(2025, 1, 31, 17, 30, tzinfo=UTC)
    upload = {
        "sent_at": "2025-01-31T18:30:00Z",
        "scans": [{**scan, "seq": 1}, {**scan, "class_session": None}],
    }
    assert len(read_upload(request_with(upload, "device"))["scans"]) == 2
