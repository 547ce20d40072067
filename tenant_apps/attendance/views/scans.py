"""Scans: check a student in by a code, one at a time or as an upload of offline scans."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from rest_framework import status
from rest_framework.response import Response

from shared_apps.accounts.models import Role
from tatami.api.renderers import JSON
from tatami.api.responses import location
from tatami.api.views import ApiView
from tenant_apps.attendance import openapi
from tenant_apps.attendance.check_in.offline import MAX_BATCH_SIZE, MAX_SEQ, OfflineScan, upload_scans
from tenant_apps.attendance.check_in.service import check_in, scan_from_body
from tenant_apps.attendance.check_in.types import Scanner, ScanResponse
from tenant_apps.attendance.serializers import (
    MAX_NONCE_LENGTH,
    MAX_TOKEN_LENGTH,
    ScanSerializer,
    SyncSerializer,
)

NIL: Final = UUID(int=0)


class ScanCode(ApiView):
    """Check a student in by a code. A refusal is stored too, and is replayed for its nonce."""

    operations = openapi.SCAN
    audited = False
    idempotent = False
    serializer_class = ScanSerializer

    def post(self, request: Any) -> HttpResponse:
        scan = scan_from_body(read_scan(request), now=request.now)
        (response,) = check_in([scan], scanner=Scanner.from_caller(request.user), now=request.now)
        return http_response(response)


class SyncScans(ApiView):
    """Upload scans that were taken offline: at most 500. Each result is final unless it is `retry`."""

    operations = openapi.SYNC
    audited = False
    idempotent = False
    serializer_class = SyncSerializer

    def post(self, request: Any) -> Response:
        values = read_upload(request)
        results = upload_scans(
            sent_at=values["sent_at"],
            items=[OfflineScan(**item) for item in values["scans"]],
            caller=request.user,
            now=request.now,
        )
        return Response({"results": results})


def http_response(response: ScanResponse) -> HttpResponse:
    """Return the HTTP response of a check-in; for a new attendance with its `Location`."""
    found = HttpResponse(response.body, status=response.status, content_type=JSON)
    if response.status == status.HTTP_201_CREATED:
        attendance_id = orjson.loads(response.body)["attendance"]["id"]
        found["Location"] = _location_of_nil().replace(str(NIL), attendance_id)
    return found


@cache
def _location_of_nil() -> str:
    """Return the path of the attendance with the id `NIL`. Reversing a route takes as long as a small statement."""
    return location("attendance-entry", id=NIL)


_PRINTABLE: Final = re.compile("[!-~]+")
UUID_TEXT: Final = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


# The bodies of scans are read without a serializer, which takes longer to make than a scan takes to record: ordinary
# values (canonical UUIDs, printable ASCII, an ISO 8601 instant) are read here. Any other body goes to the serializer,
# which alone decides what is valid and what the errors are. A test compares the two over generated bodies.


class _Unusual(Exception):
    """A value that the serializer must check."""


def read_scan(request: Any) -> Mapping[str, Any]:
    """Return the values of a scan, as `ScanSerializer` does. Raises DRF's `ValidationError`."""
    try:
        values = _values(request.data, _SCAN_READERS, required=1)
        if "scanned_at" not in values or request.user.role != Role.STUDENT:
            return values
    except _Unusual:
        pass
    return _validated(ScanSerializer, request)


def read_upload(request: Any) -> Mapping[str, Any]:
    """Return the values of an upload of scans, as `SyncSerializer` does. Raises DRF's `ValidationError`."""
    try:
        return _values(request.data, _UPLOAD_READERS, required=2)
    except _Unusual:
        return _validated(SyncSerializer, request)


def _validated(serializer_class: Any, request: Any) -> Mapping[str, Any]:
    serializer = serializer_class(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    values: Mapping[str, Any] = serializer.validated_data
    return values


def _values(body: Any, readers: Mapping[str, Any], *, required: int) -> dict[str, Any]:
    """Return the values of a body. The first `required` names of `readers` must be there, the others may be."""
    if type(body) is not dict:
        raise _Unusual
    values = {}
    for name, value in body.items():
        read = readers.get(name)
        if read is None:
            raise _Unusual
        values[name] = read(value)
    for name in [*readers][:required]:
        if name not in values:
            raise _Unusual
    return values


def _token(value: Any) -> str:
    return _printable(value, MAX_TOKEN_LENGTH)


def _nonce(value: Any) -> str:
    return _printable(value, MAX_NONCE_LENGTH)


def _printable(value: Any, max_length: int) -> str:
    if type(value) is not str or len(value) > max_length or not _PRINTABLE.fullmatch(value):
        raise _Unusual
    return value


def _id(value: Any) -> UUID:
    if type(value) is not str or not UUID_TEXT.fullmatch(value):
        raise _Unusual
    return UUID(value)


def _id_or_null(value: Any) -> UUID | None:
    return None if value is None else _id(value)


def _instant(value: Any) -> datetime:
    try:
        instant = parse_datetime(value) if type(value) is str else None
        if instant is None or instant.tzinfo is None:
            raise _Unusual
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Unusual from None


def _seq(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= MAX_SEQ):
        raise _Unusual
    return value


def _scans(value: Any) -> list[dict[str, Any]]:
    if type(value) is not list or len(value) > MAX_BATCH_SIZE:
        raise _Unusual
    return [_values(scan, _OFFLINE_SCAN_READERS, required=3) for scan in value]


_SCAN_READERS: Final = {
    "token": _token,
    "class_session": _id,
    "student": _id,
    "nonce": _nonce,
    "scanned_at": _instant,
}
_OFFLINE_SCAN_READERS: Final = {
    "token": _token,
    "nonce": _nonce,
    "scanned_at": _instant,
    "class_session": _id_or_null,
    "seq": _seq,
}
_UPLOAD_READERS: Final = {"sent_at": _instant, "scans": _scans}
