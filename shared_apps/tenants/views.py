"""The API of the platform host: tenants, domains, exports, usage and impersonation, for superadmins."""

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

from shared_apps.accounts.users import hash_password
from shared_apps.tenants import domains, lifecycle, openapi, provisioning, tasks, usage
from shared_apps.tenants.domain_dns import ascii_domain
from shared_apps.tenants.exports.build import request_export
from shared_apps.tenants.exports.files import check_link
from shared_apps.tenants.exports.restore import restore_export
from shared_apps.tenants.impersonation import impersonate
from shared_apps.tenants.models import Domain, Tenant, TenantExport
from shared_apps.tenants.serializers import (
    ChangedDomainSerializer,
    ChangedTenantSerializer,
    CreatedTenantSerializer,
    ExportSerializer,
    ImpersonationSerializer,
    NewDomainSerializer,
    NewImpersonationSerializer,
    NewTenantSerializer,
    OwnDomainSerializer,
    ProgressSerializer,
    PurgeSerializer,
    TenantSerializer,
    TlsDomainSerializer,
    UsageSerializer,
)
from shared_apps.tenants.tls_domains import tls_domains
from tatami.api.filters import one_of
from tatami.api.renderers import PassthroughRenderer
from tatami.api.request import ApiRequest, client_address, is_from_inside
from tatami.api.responses import accepted, created, location
from tatami.api.views import ApiView, Listing, Resource, get_or_404
from tatami.errors import Invalid, NotFound

ZIP: Final = "application/zip"


class TenantCollection(Listing):
    """List dojos; create one."""

    atomic = False  # the two logins need two transactions
    queryset = Tenant.objects.prefetch_related("domains")
    serializer_class = TenantSerializer
    search_column = "search_name"
    filters = {"status": one_of("status", Tenant.Status)}
    ordering_fields = {"name": "name", "slug": "slug", "created_at": "created_at"}
    operations = openapi.TENANTS

    def post(self, request: Any) -> Response:
        serializer = NewTenantSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        admin = _first_admin(values.pop("admin", None))
        archive = values.pop("archive", None)
        if archive is not None:
            tenant, user = restore_export(archive, **values, admin=admin, now=request.now)
        else:
            assert admin is not None
            values.setdefault("timezone", "UTC")
            tenant, user = provisioning.create_tenant(**values, admin=admin, now=request.now)
        tenant.admin = user
        return created(CreatedTenantSerializer(tenant).data, "tenant", id=tenant.pk)


def _first_admin(given: dict[str, Any] | None) -> provisioning.FirstAdmin | None:
    if given is None:
        return None
    password = given.pop("password", None)
    try:
        password_hash = hash_password(password) if password is not None else None
    except Invalid as fault:
        raise Invalid(details={"admin.password": (fault.details or {})["password"]}) from None
    return provisioning.FirstAdmin(**given, password_hash=password_hash)


class TenantResource(Resource):
    """Read, change, suspend and resume one dojo; delete it with a grace period."""

    queryset = Tenant.objects.prefetch_related("domains")
    serializer_class = TenantSerializer
    operations = openapi.TENANT

    def patch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = ChangedTenantSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tenant = lifecycle.change_tenant(
            tenant=self.get_object(), now=request.now, **serializer.validated_data
        )
        return Response(TenantSerializer(tenant).data)

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        tenant = lifecycle.delete_tenant(tenant=self.get_object(), now=request.now)
        return _progress(request, tenant.pk, "queued", 1, 0, "tenant", id=tenant.pk)


class TenantPurge(ApiView):
    """Drop a deleted dojo and all its data now, without the waiting period. This cannot be undone."""

    atomic = False
    serializer_class = PurgeSerializer
    operations = openapi.TENANT_PURGE

    def post(self, request: Any, id: Any) -> Response:
        serializer = PurgeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tenant = _tenant(id)
        if serializer.validated_data["confirm"] != tenant.slug:
            raise Invalid.field("confirm", "This must be the dojo's slug.")
        lifecycle.purge(tenant=tenant)
        return Response(status=204)


class TenantUsageResource(ApiView):
    """Read what a dojo used at the last count."""

    serializer_class = UsageSerializer
    operations = openapi.TENANT_USAGE

    def get(self, request: Any, id: Any) -> Response:
        return Response(UsageSerializer(usage.usage_of(_tenant(id))).data)


class Impersonations(ApiView):
    """Act as a user of a dojo for 15 minutes. The dojo's own audit trail records it."""

    atomic = False
    idempotent = False
    audits_reason = True
    serializer_class = NewImpersonationSerializer
    operations = openapi.TENANT_IMPERSONATIONS

    def post(self, request: Any, id: Any) -> Response:
        serializer = NewImpersonationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        opened = impersonate(
            tenant_id=_tenant(id).pk,
            superadmin=request.user,
            session_id=request.auth.session_id,
            reason=serializer.validated_data["reason"],
            user_id=serializer.validated_data.get("user"),
            address=client_address(request),
            now=request.now,
        )
        return Response(ImpersonationSerializer(opened).data, status=201)


class DomainCollection(Listing):
    """List the domains of a dojo; claim one."""

    serializer_class = OwnDomainSerializer
    queryset = Domain.objects.all()
    ordering = ("-is_primary", "domain")
    operations = openapi.TENANT_DOMAINS

    def get_queryset(self) -> QuerySet[Domain]:
        if getattr(self, "swagger_fake_view", False):
            return Domain.objects.none()
        return Domain.objects.filter(tenant=_tenant(self.kwargs["id"]))

    def post(self, request: ApiRequest, id: UUID) -> Response:
        serializer = NewDomainSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        claimed = domains.claim_domain(tenant=_tenant(id), **serializer.validated_data)
        return created(OwnDomainSerializer(claimed).data, "tenant-domain", id=id, domain=claimed.domain)


class DomainResource(ApiView):
    """Read one domain, make it the primary one, remove it."""

    serializer_class = OwnDomainSerializer
    operations = openapi.TENANT_DOMAIN

    def get(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        return Response(OwnDomainSerializer(_domain(id, domain)).data)

    def patch(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        serializer = ChangedDomainSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed = domains.make_primary(domain=_domain(id, domain))
        return Response(OwnDomainSerializer(changed).data)

    def delete(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        domains.remove_domain(domain=_domain(id, domain))
        return Response(status=204)


class DomainVerification(ApiView):
    """Verify a domain by its DNS record."""

    atomic = False  # a name server may take seconds
    serializer_class = OwnDomainSerializer
    operations = openapi.TENANT_DOMAIN_VERIFICATION

    def post(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        verified = domains.verify_domain(domain=_domain(id, domain), now=request.now)
        return Response(OwnDomainSerializer(verified).data)


class TlsDomain(ApiView):
    """Answer the proxy: 200 if it may obtain a certificate for a domain. Only for requests from an internal network."""

    atomic = False  # almost always without a statement
    serializer_class = TlsDomainSerializer
    operations = openapi.TLS_DOMAIN

    def get(self, request: ApiRequest) -> Response:
        domain = request.query_params.get("domain", "")
        if not is_from_inside(request) or not tls_domains().includes(domain, now=request.now):
            raise NotFound
        return Response(TlsDomainSerializer({"domain": domain}).data)


class ExportCollection(ApiView):
    """Request an export: a complete dojo as one file."""

    serializer_class = ProgressSerializer
    operations = openapi.TENANT_EXPORTS

    def post(self, request: Any, id: Any) -> Response:
        tenant = _tenant(id)
        export = request_export(tenant=tenant, requested_by=request.user.pk, now=request.now)
        transaction.on_commit(tasks.wake_export_worker, robust=True)
        route = {"id": tenant.pk, "export_id": export.pk}
        return _progress(
            request, export.pk, export.status, export.total, export.done, "tenant-export", **route
        )


class ExportResource(ApiView):
    """Read the progress of an export and, when it is done, the link to its archive."""

    serializer_class = ExportSerializer
    operations = openapi.TENANT_EXPORT

    def get(self, request: Any, id: Any, export_id: Any) -> Response:
        export = get_or_404(_exports(), pk=export_id, tenant=id)
        return Response(ExportSerializer(export, context={"request": request}).data)


class ZipRenderer(PassthroughRenderer):
    """An archive."""

    media_type = ZIP
    format = "zip"
    charset = None


class ExportArchive(ApiView):
    """Download an archive as a stream. The link from `GET …/exports/{export_id}` replaces the login."""

    atomic = False
    renderer_classes = [ZipRenderer]
    operations = openapi.TENANT_EXPORT_ARCHIVE

    @extend_schema(responses={(200, ZIP): OpenApiTypes.BINARY})
    def get(self, request: Any, id: Any, export_id: Any) -> HttpResponseBase:
        export = get_or_404(_exports(), pk=export_id, tenant=id)
        check_link(export, request.query_params.get("token", ""), now=request.now)
        if export.status != TenantExport.Status.DONE or not default_storage.exists(export.name):
            raise NotFound
        name = f"{export.tenant.slug}-{export.created_at:%Y-%m-%d}.zip"
        file = default_storage.open(export.name)
        return FileResponse(file, as_attachment=True, filename=name, content_type=ZIP)


def _progress(
    request: Any, pk: UUID, status: str, total: int, done: int, route: str, **kwargs: Any
) -> Response:
    """Return the 202 for queued work, whose progress is at `route`."""
    url = request.build_absolute_uri(location(route, **kwargs))
    progress = ProgressSerializer({"id": pk, "status": status, "total": total, "done": done, "url": url})
    return accepted(progress.data, route, **kwargs)


def _tenant(id_: Any) -> Tenant:
    return get_or_404(Tenant.objects.all(), pk=id_)


def _domain(id_: UUID, given: str) -> Domain:
    """Return a tenant's domain, in whichever form the path has its name. Raises `NotFound`."""
    try:
        name = ascii_domain(given)
    except Invalid:
        raise NotFound from None
    return get_or_404(Domain.objects.select_related("tenant"), tenant=_tenant(id_), domain=name)


def _exports() -> Any:
    """Return the exports of existing tenants. Those of purged tenants wait for the sweeper."""
    return TenantExport.objects.select_related("tenant")
