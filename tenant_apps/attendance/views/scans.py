"""Scans: check a student in by a code, one at a time or as an upload of offline scans."""

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework import status
from rest_framework.response import Response

from tatami.api.renderers import JSON
from tatami.api.responses import location
from tatami.api.views import ApiView
from tenant_apps.attendance import openapi
from tenant_apps.attendance.check_in.offline import OfflineScan, upload_scans
from tenant_apps.attendance.check_in.service import check_in, scan_from_body
from tenant_apps.attendance.check_in.types import Scanner, ScanResponse
from tenant_apps.attendance.serializers import ScanSerializer, SyncSerializer


class ScanCode(ApiView):
    """Check a student in by a code. A refusal is stored too, and is replayed for its nonce."""

    operations = openapi.SCAN
    audited = False
    idempotent = False
    serializer_class = ScanSerializer

    def post(self, request: Any) -> HttpResponse:
        serializer = ScanSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        scan = scan_from_body(serializer.validated_data, now=request.now)
        (response,) = check_in([scan], scanner=Scanner.from_caller(request.user), now=request.now)
        return http_response(response)


class SyncScans(ApiView):
    """Upload scans that were taken offline: at most 500. Each result is final unless it is `retry`."""

    operations = openapi.SYNC
    audited = False
    idempotent = False
    serializer_class = SyncSerializer

    def post(self, request: Any) -> Response:
        serializer = SyncSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
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
        found["Location"] = location("attendance-entry", id=attendance_id)
    return found
