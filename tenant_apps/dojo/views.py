"""The settings of the dojo, and its logo."""

from typing import Any

from django.utils.translation import gettext
from rest_framework.response import Response

from tatami.api.views import ApiView
from tatami.errors import NotFound
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, current_tenant
from tatami.tenancy.tenant_registry import tenant_registry
from tenant_apps.dojo import logo_storage, openapi
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.serializers import DojoSettingsSerializer, LogoSerializer
from tenant_apps.dojo.services import change_settings, get_or_create_settings


class Settings(ApiView):
    """The settings of the dojo. The platform stores name and time zone, and a copy of the language, so a PATCH is two
    transactions.

    The dojo's own settings are committed first. If a PATCH is interrupted between the two, send it again. The response
    to a change of name or time zone is sent when all processes know it.
    """

    atomic = False
    operations = openapi.SETTINGS
    serializer_class = DojoSettingsSerializer

    def get(self, request: Any) -> Response:
        return Response(settings_response(get_or_create_settings(), current_tenant()))

    def patch(self, request: Any) -> Response:
        serializer = DojoSettingsSerializer(get_or_create_settings(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        identity = {
            "name": changes.pop("tenant_name", None),
            "timezone": changes.pop("tenant_timezone", None),
            "language": changes.get("language"),
        }
        settings, tenant = change_settings(changes=changes), current_tenant()
        if any(value is not None for value in identity.values()):
            tenant = tenant_registry().change_tenant(tenant, now=request.now, **identity)
            host_resolver().wait_until_noticed()
        return Response(settings_response(settings, tenant))


class Logo(ApiView):
    """The logo of the dojo, printed on its documents."""

    operations = openapi.LOGO
    serializer_class = LogoSerializer
    max_body_bytes = 4 * 1024 * 1024

    def get(self, request: Any) -> Response:
        stored = logo_storage.stored_logo(DojoSettings.current())
        if stored is None:
            raise NotFound(gettext("This dojo has no logo."))
        return _logo_response(stored)

    def put(self, request: Any) -> Response:
        serializer = LogoSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        picture = logo_storage.decode_logo(serializer.validated_data["image"])
        logo_storage.set_logo(picture)
        return _logo_response(picture)

    def delete(self, request: Any) -> Response:
        logo_storage.set_logo(None)
        return Response(status=204)


def settings_response(settings: DojoSettings, tenant: TenantScope) -> dict[str, Any]:
    """Return the settings that the dojo stores together with the two that the platform stores."""
    settings.tenant_name, settings.tenant_timezone = tenant.name, tenant.timezone  # type: ignore[attr-defined]
    return dict(DojoSettingsSerializer(settings).data)


def _logo_response(picture: bytes) -> Response:
    return Response(LogoSerializer({"image": logo_storage.data_uri(picture)}).data)
