"""The dojo's settings."""

from typing import Any

from rest_framework.response import Response

from tatami.api.views import ApiView
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import TenantScope, current_tenant
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.serializers import DojoSettingsSerializer
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


def shown_settings(settings: DojoSettings, tenant: TenantScope) -> dict[str, Any]:
    """Return the dojo's own settings and the two that the platform keeps, as one."""
    settings.tenant_name, settings.tenant_timezone = tenant.name, tenant.timezone  # type: ignore[attr-defined]
    return dict(DojoSettingsSerializer(settings).data)
