"""The dojos, on the platform host."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, silent
from shared_apps.tenants.domain_serializers import ChangedDomainSerializer, ClaimSerializer
from shared_apps.tenants.exports.serializers import ExportSerializer
from shared_apps.tenants.impersonation_views import ImpersonationSerializer, NewImpersonationSerializer
from shared_apps.tenants.serializers import ChangedTenantSerializer, NewTenantSerializer, TenantSerializer
from shared_apps.tenants.usage_views import UsageSerializer
from tatami.api.openapi import Described


class AdminOfTenantSerializer(serializers.Serializer[Any]):
    """The first admin of a new dojo."""

    id = serializers.UUIDField()
    email = serializers.EmailField()


class MadeTenantSerializer(TenantSerializer):
    """A dojo that was made just now, with its first admin."""

    admin = AdminOfTenantSerializer(allow_null=True)

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
_USAGE: Final = {
    "students": {"active": 118, "all": 164},
    "attendances": {"last_30_days": 912, "all": 20_417},
    "last_attendance_at": values.NOW,
    "users": 131,
    "bytes": 14_680_064,
    "file_bytes": 2_411_520,
    "collected_at": "2026-06-15T00:47:11Z",
}
_NEW: Final = {"name": "Tora Dojo", "slug": "tora", "timezone": "Asia/Tokyo"}
_TORA: Final = [{"domain": "tora.localhost", "is_primary": True, "verified": True}]
_AT: Final = {"id": values.TENANT}
_DOMAIN: Final[dict[str, Any]] = {
    "domain": values.DOMAIN,
    "is_primary": False,
    "verified": True,
    "verified_at": values.NOW,
    "record": None,
    "created_at": values.NOW,
}
_CLAIMED: Final[dict[str, Any]] = {
    **_DOMAIN,
    "domain": values.CLAIMED_DOMAIN,
    "verified": False,
    "verified_at": None,
    "record": {"name": f"_tatami.{values.CLAIMED_DOMAIN}", "type": "TXT", "value": values.RECORD},
}
_AT_DOMAIN: Final = {**_AT, "domain": values.DOMAIN}

_OF_EXPORT: Final = {"id": values.TENANT, "export_id": values.EXPORT}
_EXPORT: Final[dict[str, Any]] = {
    "id": values.EXPORT,
    "status": "done",
    "total": 0,
    "done": 0,
    "url": f"http://localhost:8000/tenants/{values.TENANT}/exports/{values.EXPORT}",
}
_DONE: Final[dict[str, Any]] = {
    **_EXPORT,
    "total": 512_408,
    "done": 512_408,
    "bytes": 41_302_118,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "download_url": f"{_EXPORT['url']}/archive?token={values.ARCHIVE_LINK}",
    "error": "",
    "created_at": values.NOW,
    "finished_at": values.NOW,
    "expires_at": "2026-06-22T16:40:00Z",
}

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
    "tenant-usage": {"GET": Described(at=_AT, answer=UsageSerializer, shown=_USAGE)},
    "tenant-impersonations": {
        "POST": Described(
            at={"id": values.SERVING_TENANT},
            body={"reason": "Ticket 4711: the roster looks wrong."},
            status=201,
            takes=NewImpersonationSerializer,
            answer=ImpersonationSerializer,
            shown={"access": values.ACCESS, "expires_in": 900, "url": "http://seishin.localhost:8000"},
        )
    },
    "tenant-exports": {
        "POST": Described(
            at=_AT, takes=None, status=202, answer=ProgressSerializer, shown={**_EXPORT, "status": "queued"}
        )
    },
    "tenant-export": {"GET": Described(at=_OF_EXPORT, answer=ExportSerializer, shown=_DONE)},
    "tenant-export-archive": {
        "GET": Described(
            at=_OF_EXPORT,
            query={
                "token": {
                    "type": "string",
                    "description": "As `download_url` has it.",
                    "example": values.ARCHIVE_LINK,
                }
            },
            written={"application/zip": "PK…"},
        )
    },
    "tenant-purge": {"POST": silent(at={"id": values.DELETED_TENANT}, body={"confirm": values.DELETED_SLUG})},
    "tenant-domains": {
        "GET": listed(_CLAIMED, at=_AT),
        "POST": made(
            {"domain": "new.seishin-dojo.de"},
            {
                **_CLAIMED,
                "domain": "new.seishin-dojo.de",
                "record": {
                    "name": "_tatami.new.seishin-dojo.de",
                    "type": "TXT",
                    "value": "tatami-verification=4hmxnyq2d7sbr6vtz3kaw5fpcj2geu4o",
                },
            },
            at=_AT,
            takes=ClaimSerializer,
        ),
    },
    "tenant-domain": {
        "GET": Described(at=_AT_DOMAIN, shown=_DOMAIN),
        "PATCH": Described(
            at=_AT_DOMAIN,
            takes=ChangedDomainSerializer,
            body={"is_primary": True},
            shown={**_DOMAIN, "is_primary": True},
        ),
        "DELETE": silent(at=_AT_DOMAIN),
    },
    "tenant-domain-verification": {
        "POST": Described(
            at={**_AT, "domain": values.CLAIMED_DOMAIN},
            takes=None,
            shown={**_DOMAIN, "domain": values.CLAIMED_DOMAIN},
        )
    },
}
