"""Dojos, for superadmins, on the platform host."""

from typing import Any

from rest_framework.response import Response

from shared_apps.accounts.users import hash_password
from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.exports.restoring import restore_export
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.serializers import (
    ChangedTenantSerializer,
    NewTenantSerializer,
    PurgeSerializer,
    TenantSerializer,
)
from tatami.api.filters import one_of
from tatami.api.responses import accepted, created, location
from tatami.api.views import ApiView, Listing, Resource, get_or_404
from tatami.errors import Invalid


class TenantCollection(Listing):
    """The dojos, and the making of a new one: outside a transaction, because two logins are two transactions."""

    atomic = False
    queryset = Tenant.objects.prefetch_related("domains")
    serializer_class = TenantSerializer
    search_column = "search_name"
    filters = {"status": one_of("status", Tenant.Status)}
    ordering_fields = {"name": "name", "slug": "slug", "created_at": "created_at"}

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
        shown = {"id": user.pk, "email": user.email} if user else None
        return created({**TenantSerializer(tenant).data, "admin": shown}, "tenant", id=tenant.pk)


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
    """One dojo: change it, suspend and resume it, delete it within a grace period."""

    queryset = Tenant.objects.prefetch_related("domains")
    serializer_class = TenantSerializer

    def patch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = ChangedTenantSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tenant = lifecycle.change_tenant(
            tenant=self.get_object(), now=request.now, **serializer.validated_data
        )
        return Response(TenantSerializer(tenant).data)

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        tenant = lifecycle.delete_tenant(tenant=self.get_object(), now=request.now)
        url = request.build_absolute_uri(location("tenant", id=tenant.pk))
        return accepted(
            {"id": tenant.pk, "status": "queued", "total": 1, "done": 0, "url": url}, "tenant", id=tenant.pk
        )


class TenantPurge(ApiView):
    """Drop a deleted dojo and all its data at once, for good."""

    atomic = False
    serializer_class = PurgeSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = PurgeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tenant = get_or_404(Tenant.objects.all(), pk=id)
        if serializer.validated_data["confirm"] != tenant.slug:
            raise Invalid.field("confirm", "This must be the dojo's slug.")
        lifecycle.purge(tenant=tenant)
        return Response(status=204)
