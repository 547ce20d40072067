"""The dojo's settings."""

from typing import Any

from rest_framework.response import Response

from tatami.api.views import ApiView
from tatami.errors import NotFound
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import TenantScope, current_tenant
from tenant_apps.dojo import logo_file
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.serializers import DojoSettingsSerializer, LogoSerializer
from tenant_apps.dojo.services import change_settings, settings_row


class Settings(ApiView):
    """The dojo's settings. Name and time zone are the platform's to keep, so a PATCH is two transactions.

    The dojo's own part commits first; a PATCH cut off between the two is completed by sending it again.
    """

    atomic = False
    serializer_class = DojoSettingsSerializer

    def get(self, request: Any) -> Response:
        return Response(shown_settings(settings_row(), current_tenant()))

    def patch(self, request: Any) -> Response:
        serializer = DojoSettingsSerializer(settings_row(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        known = {"name": changes.pop("tenant_name", None), "timezone": changes.pop("tenant_timezone", None)}
        settings, tenant = change_settings(changes=changes), current_tenant()
        if any(value is not None for value in known.values()):
            tenant = directory().change_identity(tenant, now=request.now, **known)
        return Response(shown_settings(settings, tenant))


class Logo(ApiView):
    """The dojo's logo, for its papers."""

    serializer_class = LogoSerializer
    max_body_bytes = 4 * 1024 * 1024

    def get(self, request: Any) -> Response:
        kept = logo_file.kept_logo(DojoSettings.current())
        if kept is None:
            raise NotFound("This dojo has no logo.")
        return Response({"image": logo_file.data_uri(kept)})

    def put(self, request: Any) -> Response:
        serializer = LogoSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        picture = logo_file.logo_in(serializer.validated_data["image"])
        logo_file.set_logo(picture)
        return Response({"image": logo_file.data_uri(picture)})

    def delete(self, request: Any) -> Response:
        logo_file.set_logo(None)
        return Response(status=204)


def shown_settings(settings: DojoSettings, tenant: TenantScope) -> dict[str, Any]:
    """Return the dojo's own settings and the two that the platform keeps, as one."""
    settings.tenant_name, settings.tenant_timezone = tenant.name, tenant.timezone  # type: ignore[attr-defined]
    return dict(DojoSettingsSerializer(settings).data)
