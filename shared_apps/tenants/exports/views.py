"""Exports, for superadmins on the platform host; the archive itself for whoever has its link."""

from typing import Any, Final

from django.core.files.storage import default_storage
from django.db import transaction
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from shared_apps.tenants import tasks
from shared_apps.tenants.exports.links import refuse_other_link
from shared_apps.tenants.exports.queueing import request_export
from shared_apps.tenants.exports.serializers import ExportProgressSerializer, ExportSerializer
from shared_apps.tenants.models import Tenant, TenantExport
from tatami.api.renderers import PassthroughRenderer
from tatami.api.responses import accepted
from tatami.api.views import ApiView, get_or_404
from tatami.errors import NotFound

ZIP: Final = "application/zip"


class ExportCollection(ApiView):
    """Ask for a whole dojo as one file."""

    serializer_class = ExportProgressSerializer

    def post(self, request: Any, id: Any) -> Response:
        tenant = get_or_404(Tenant.objects.all(), pk=id)
        export = request_export(tenant=tenant, requested_by=request.user.pk, now=request.now)
        transaction.on_commit(tasks.call_exporter, robust=True)
        shown = ExportProgressSerializer(export, context={"request": request}).data
        return accepted(shown, "tenant-export", id=tenant.pk, export_id=export.pk)


class ExportResource(ApiView):
    """How far an export is, and where its archive can be fetched."""

    serializer_class = ExportSerializer

    def get(self, request: Any, id: Any, export_id: Any) -> Response:
        export = get_or_404(_exports(), pk=export_id, tenant=id)
        return Response(ExportSerializer(export, context={"request": request}).data)


class ZipRenderer(PassthroughRenderer):
    """An archive."""

    media_type = ZIP
    format = "zip"
    charset = None


class ExportArchive(ApiView):
    """The archive, as a stream. The link from `GET …/exports/{export_id}` is all that reading it takes."""

    atomic = False
    renderer_classes = [ZipRenderer]

    @extend_schema(responses={(200, ZIP): OpenApiTypes.BINARY})
    def get(self, request: Any, id: Any, export_id: Any) -> HttpResponseBase:
        export = get_or_404(_exports(), pk=export_id, tenant=id)
        refuse_other_link(export, request.query_params.get("token", ""), now=request.now)
        if export.status != TenantExport.Status.DONE or not default_storage.exists(export.name):
            raise NotFound
        name = f"{export.tenant.slug}-{export.created_at:%Y-%m-%d}.zip"
        file = default_storage.open(export.name)
        return FileResponse(file, as_attachment=True, filename=name, content_type=ZIP)


def _exports() -> Any:
    """Return the exports of dojos that are there: those of a purged one wait for the sweeper."""
    return TenantExport.objects.select_related("tenant")
