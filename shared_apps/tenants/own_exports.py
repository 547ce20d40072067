"""The API with which the admins of a dojo export it themselves: request, watch, download, delete.

The rows are the platform's, so the views read them in the platform's scope, and only those of the dojo of the request
that its own people requested. Exports of superadmins are at `/tenants/{id}/exports` on the platform.
"""

from typing import Any, Final
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from shared_apps.tenants import openapi, tasks
from shared_apps.tenants.exports.build import delete_export, request_own_export
from shared_apps.tenants.models import Tenant, TenantExport
from shared_apps.tenants.serializers import OwnExportSerializer
from shared_apps.tenants.views import ZIP, ZipRenderer
from tatami.api.responses import accepted
from tatami.api.views import ApiView, Listing, get_or_404
from tatami.errors import NotFound
from tatami.tenancy.scope import current_tenant, platform_scope

ROUTE: Final = "own-export"


class OwnExports(Listing):
    """The exports that the dojo's admins requested, newest first. POST requests one, which a worker builds."""

    atomic = False  # the rows are the platform's
    idempotent = False
    queryset = TenantExport.objects.all()
    serializer_class = OwnExportSerializer
    ordering = ("-created_at",)
    operations = openapi.OWN_EXPORTS

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return TenantExport.objects.none()
        return TenantExport.objects.filter(tenant=self.tenant_id, is_own=True)

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.tenant_id = current_tenant().tenant_id
        with platform_scope():
            return super().get(request, *args, **kwargs)

    def post(self, request: Any) -> Response:
        tenant_id = current_tenant().tenant_id
        with platform_scope(), transaction.atomic():
            tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
            made = request_own_export(tenant=tenant, requested_by=request.user.pk, now=request.now)
            transaction.on_commit(tasks.wake_export_worker, robust=True)
        return accepted(OwnExportSerializer(made).data, ROUTE, id=made.pk)


class OwnExport(ApiView):
    """The progress of an export. DELETE removes it with its file; one that is being built stops."""

    atomic = False
    idempotent = False
    serializer_class = OwnExportSerializer
    operations = openapi.OWN_EXPORT

    def get(self, request: Any, id: UUID) -> Response:
        return Response(OwnExportSerializer(_find(id)).data)

    def delete(self, request: Any, id: UUID) -> Response:
        found = _find(id)
        with platform_scope():
            delete_export(found)
        return Response(status=204)


class OwnExportArchive(ApiView):
    """The archive as a stream."""

    atomic = False
    renderer_classes = [ZipRenderer]
    operations = openapi.OWN_EXPORT_ARCHIVE

    @extend_schema(responses={(200, ZIP): OpenApiTypes.BINARY})
    def get(self, request: Any, id: UUID) -> HttpResponseBase:
        found = _find(id)
        if found.status != TenantExport.Status.DONE or not default_storage.exists(found.name):
            raise NotFound
        name = f"{current_tenant().slug}-{found.created_at:%Y-%m-%d}.zip"
        file = default_storage.open(found.name)
        return FileResponse(file, as_attachment=True, filename=name, content_type=ZIP)


def _find(id_: UUID) -> TenantExport:
    tenant_id = current_tenant().tenant_id
    with platform_scope():
        found: TenantExport = get_or_404(TenantExport.objects.filter(tenant=tenant_id, is_own=True), pk=id_)
        return found
