"""The dojos, on the platform host."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, silent
from shared_apps.tenants.serializers import ChangedTenantSerializer, NewTenantSerializer, TenantSerializer
from tatami.api.openapi import Described


class AdminOfTenantSerializer(serializers.Serializer[Any]):
    """The first admin of a new dojo."""

    id = serializers.UUIDField()
    email = serializers.EmailField()


class MadeTenantSerializer(TenantSerializer):
    """A dojo that was made just now, with its first admin."""

    admin = AdminOfTenantSerializer()

    class Meta(TenantSerializer.Meta):
        fields = (*TenantSerializer.Meta.fields, "admin")  # type: ignore[assignment]


class ProgressSerializer(serializers.Serializer[Any]):
    """Work that was queued; `url` tells how far it is."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=["queued", "running", "paused", "done", "failed", "cancelled", "reverted"]
    )
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    url = serializers.URLField()


_TENANT: Final[dict[str, Any]] = {
    "id": values.TENANT,
    "name": "Seishin Dojo",
    "slug": "seishin",
    "schema_name": f"t_{values.TENANT.replace('-', '')}",
    "status": "active",
    "domains": [{"domain": "seishin.localhost", "is_primary": True, "verified": True}],
    "timezone": "Europe/Berlin",
    **values.STAMPS,
}
_NEW: Final = {"name": "Tora Dojo", "slug": "tora", "timezone": "Asia/Tokyo"}
_TORA: Final = [{"domain": "tora.localhost", "is_primary": True, "verified": True}]
_AT: Final = {"id": values.TENANT}

TENANTS: Final = {
    "tenants": {
        "GET": listed(_TENANT),
        "POST": made(
            {**_NEW, "admin": {"email": "ren@example.com", "name": "Ren Ito"}},
            {
                **_TENANT,
                **_NEW,
                "domains": _TORA,
                "admin": {"id": values.NEW_USER, "email": "ren@example.com"},
            },
            takes=NewTenantSerializer,
            answer=MadeTenantSerializer,
        ),
    },
    "tenant": {
        "GET": Described(at=_AT, shown=_TENANT),
        "PATCH": Described(
            at=_AT,
            takes=ChangedTenantSerializer,
            body={"status": "suspended"},
            shown={**_TENANT, "status": "suspended"},
        ),
        "DELETE": Described(
            at=_AT,
            status=202,
            answer=ProgressSerializer,
            shown={
                "id": values.TENANT,
                "status": "queued",
                "total": 1,
                "done": 0,
                "url": f"http://localhost:8000/tenants/{values.TENANT}",
            },
        ),
    },
    "tenant-purge": {"POST": silent(at={"id": values.DELETED_TENANT}, body={"confirm": values.DELETED_SLUG})},
}
