"""The dojos, on the platform host."""

from typing import Any, Final

from rest_framework import serializers

from shared_apps.tenants.domain_serializers import ChangedDomainSerializer, ClaimSerializer
from shared_apps.tenants.exports.serializers import ExportSerializer
from shared_apps.tenants.impersonation_views import ImpersonationSerializer, NewImpersonationSerializer
from shared_apps.tenants.serializers import ChangedTenantSerializer, NewTenantSerializer, TenantSerializer
from shared_apps.tenants.usage_views import UsageSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec


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
    "id": examples.TENANT,
    "name": "Seishin Dojo",
    "slug": "seishin",
    "schema_name": f"t_{examples.TENANT.replace('-', '')}",
    "status": "active",
    "domains": [{"domain": "seishin.localhost", "is_primary": True, "verified": True}],
    "timezone": "Europe/Berlin",
    **examples.STAMPS,
}
_USAGE: Final = {
    "students": {"active": 118, "all": 164},
    "attendances": {"last_30_days": 912, "all": 20_417},
    "last_attendance_at": examples.NOW,
    "users": 131,
    "bytes": 14_680_064,
    "file_bytes": 2_411_520,
    "collected_at": "2026-06-15T00:47:11Z",
}
_NEW: Final = {"name": "Tora Dojo", "slug": "tora", "timezone": "Asia/Tokyo"}
_TORA: Final = [{"domain": "tora.localhost", "is_primary": True, "verified": True}]
_AT: Final = {"id": examples.TENANT}
_DOMAIN: Final[dict[str, Any]] = {
    "domain": examples.DOMAIN,
    "is_primary": False,
    "verified": True,
    "verified_at": examples.NOW,
    "record": None,
    "created_at": examples.NOW,
}
_CLAIMED: Final[dict[str, Any]] = {
    **_DOMAIN,
    "domain": examples.CLAIMED_DOMAIN,
    "verified": False,
    "verified_at": None,
    "record": {"name": f"_tatami.{examples.CLAIMED_DOMAIN}", "type": "TXT", "value": examples.RECORD},
}
_AT_DOMAIN: Final = {**_AT, "domain": examples.DOMAIN}

_OF_EXPORT: Final = {"id": examples.TENANT, "export_id": examples.EXPORT}
_EXPORT: Final[dict[str, Any]] = {
    "id": examples.EXPORT,
    "status": "done",
    "total": 0,
    "done": 0,
    "url": f"http://localhost:8000/tenants/{examples.TENANT}/exports/{examples.EXPORT}",
}
_DONE: Final[dict[str, Any]] = {
    **_EXPORT,
    "total": 512_408,
    "done": 512_408,
    "bytes": 41_302_118,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "download_url": f"{_EXPORT['url']}/archive?token={examples.ARCHIVE_LINK}",
    "error": "",
    "created_at": examples.NOW,
    "finished_at": examples.NOW,
    "expires_at": "2026-06-22T16:40:00Z",
}

TENANTS: Final = {
    "tenants": {
        "GET": list_spec(_TENANT),
        "POST": create_spec(
            {**_NEW, "admin": {"email": "ren@example.com", "name": "Ren Ito"}},
            {
                **_TENANT,
                **_NEW,
                "domains": _TORA,
                "admin": {"id": examples.NEW_USER, "email": "ren@example.com"},
            },
            request=NewTenantSerializer,
            response=MadeTenantSerializer,
        ),
    },
    "tenant": {
        "GET": OperationSpec(path=_AT, response_example=_TENANT),
        "PATCH": OperationSpec(
            path=_AT,
            request=ChangedTenantSerializer,
            request_example={"status": "suspended"},
            response_example={**_TENANT, "status": "suspended"},
        ),
        "DELETE": OperationSpec(
            path=_AT,
            status=202,
            response=ProgressSerializer,
            response_example={
                "id": examples.TENANT,
                "status": "queued",
                "total": 1,
                "done": 0,
                "url": f"http://localhost:8000/tenants/{examples.TENANT}",
            },
        ),
    },
    "tenant-usage": {"GET": OperationSpec(path=_AT, response=UsageSerializer, response_example=_USAGE)},
    "tenant-impersonations": {
        "POST": OperationSpec(
            path={"id": examples.SERVING_TENANT},
            request_example={"reason": "Ticket 4711: the roster looks wrong."},
            status=201,
            request=NewImpersonationSerializer,
            response=ImpersonationSerializer,
            response_example={
                "access": examples.ACCESS,
                "expires_in": 900,
                "url": "http://seishin.localhost:8000",
            },
        )
    },
    "tenant-exports": {
        "POST": OperationSpec(
            path=_AT,
            request=None,
            status=202,
            response=ProgressSerializer,
            response_example={**_EXPORT, "status": "queued"},
        )
    },
    "tenant-export": {
        "GET": OperationSpec(path=_OF_EXPORT, response=ExportSerializer, response_example=_DONE)
    },
    "tenant-export-archive": {
        "GET": OperationSpec(
            path=_OF_EXPORT,
            query={
                "token": {
                    "type": "string",
                    "description": "As `download_url` has it.",
                    "example": examples.ARCHIVE_LINK,
                }
            },
            text_examples={"application/zip": "PK…"},
        )
    },
    "tenant-purge": {
        "POST": no_content_spec(
            path={"id": examples.DELETED_TENANT}, request_example={"confirm": examples.DELETED_SLUG}
        )
    },
    "tenant-domains": {
        "GET": list_spec(_CLAIMED, path=_AT),
        "POST": create_spec(
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
            path=_AT,
            request=ClaimSerializer,
        ),
    },
    "tenant-domain": {
        "GET": OperationSpec(path=_AT_DOMAIN, response_example=_DOMAIN),
        "PATCH": OperationSpec(
            path=_AT_DOMAIN,
            request=ChangedDomainSerializer,
            request_example={"is_primary": True},
            response_example={**_DOMAIN, "is_primary": True},
        ),
        "DELETE": no_content_spec(path=_AT_DOMAIN),
    },
    "tenant-domain-verification": {
        "POST": OperationSpec(
            path={**_AT, "domain": examples.CLAIMED_DOMAIN},
            request=None,
            response_example={**_DOMAIN, "domain": examples.CLAIMED_DOMAIN},
        )
    },
}
