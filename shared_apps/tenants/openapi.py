"""The operations of the platform host in the OpenAPI document: examples of requests and responses, by route.

The views declare them as `operations`.
"""

from typing import Any, Final

from shared_apps.tenants.serializers import (
    ChangedDomainSerializer,
    ChangedTenantSerializer,
    CreatedTenantSerializer,
    ExportSerializer,
    ImpersonationSerializer,
    NewDomainSerializer,
    NewImpersonationSerializer,
    NewTenantSerializer,
    OwnExportSerializer,
    ProgressSerializer,
    UsageSerializer,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, OperationSpecs, create_spec, list_spec, no_content_spec

_TENANT_EXAMPLE: Final[dict[str, Any]] = {
    "id": examples.TENANT,
    "name": "Seishin Dojo",
    "slug": "seishin",
    "schema_name": f"t_{examples.TENANT.replace('-', '')}",
    "status": "active",
    "domains": [{"domain": "seishin.localhost", "is_primary": True, "verified": True}],
    "timezone": "Europe/Berlin",
    **examples.STAMPS,
}
_USAGE_EXAMPLE: Final = {
    "students": {"active": 118, "all": 164},
    "attendances": {"last_30_days": 912, "all": 20_417},
    "last_attendance_at": examples.NOW,
    "users": 131,
    "bytes": 14_680_064,
    "file_bytes": 2_411_520,
    "collected_at": "2026-06-15T00:47:11Z",
}
_NEW_TENANT_EXAMPLE: Final = {"name": "Tora Dojo", "slug": "tora", "timezone": "Asia/Tokyo"}
_NEW_TENANT_DOMAINS: Final = [{"domain": "tora.localhost", "is_primary": True, "verified": True}]
_TENANT_PATH: Final = {"id": examples.TENANT}
_DOMAIN_EXAMPLE: Final[dict[str, Any]] = {
    "domain": examples.DOMAIN,
    "is_primary": False,
    "verified": True,
    "verified_at": examples.NOW,
    "served_until": None,
    "record": None,
    "created_at": examples.NOW,
}
_CLAIM_EXAMPLE: Final[dict[str, Any]] = {
    **_DOMAIN_EXAMPLE,
    "domain": examples.CLAIMED_DOMAIN,
    "verified": False,
    "verified_at": None,
    "served_until": None,
    "record": {"name": f"_tatami.{examples.CLAIMED_DOMAIN}", "type": "TXT", "value": examples.RECORD},
}
_DOMAIN_PATH: Final = {**_TENANT_PATH, "domain": examples.DOMAIN}

_EXPORT_PATH: Final = {"id": examples.TENANT, "export_id": examples.EXPORT}
_PROGRESS_EXAMPLE: Final[dict[str, Any]] = {
    "id": examples.EXPORT,
    "status": "done",
    "total": 0,
    "done": 0,
    "url": f"http://localhost:8000/tenants/{examples.TENANT}/exports/{examples.EXPORT}",
}
_EXPORT_EXAMPLE: Final[dict[str, Any]] = {
    **_PROGRESS_EXAMPLE,
    "total": 512_408,
    "done": 512_408,
    "bytes": 41_302_118,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "download_url": f"{_PROGRESS_EXAMPLE['url']}/archive?token={examples.ARCHIVE_LINK}",
    "error": "",
    "created_at": examples.NOW,
    "finished_at": examples.NOW,
    "expires_at": "2026-06-22T16:40:00Z",
}

_OWN_EXPORT_EXAMPLE: Final[dict[str, Any]] = {
    **{name: _EXPORT_EXAMPLE[name] for name in OwnExportSerializer.Meta.fields},
    "id": examples.OWN_EXPORT,
}
_OWN_EXPORT_PATH: Final = {"id": examples.OWN_EXPORT}
_NEW_OWN_EXPORT: Final = {
    **_OWN_EXPORT_EXAMPLE,
    "status": "queued",
    "total": 0,
    "done": 0,
    "bytes": None,
    "sha256": "",
    "finished_at": None,
}
OWN_EXPORTS: Final[OperationSpecs] = {
    "GET": list_spec(_OWN_EXPORT_EXAMPLE),
    "POST": OperationSpec(status=202, response=OwnExportSerializer, response_example=_NEW_OWN_EXPORT),
}
OWN_EXPORT: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_OWN_EXPORT_PATH, response_example=_OWN_EXPORT_EXAMPLE),
    "DELETE": no_content_spec(path=_OWN_EXPORT_PATH),
}
OWN_EXPORT_ARCHIVE: Final[OperationSpecs] = {
    "GET": OperationSpec(path={"id": examples.KEPT_EXPORT}, text_examples={"application/zip": "PK…"})
}

TENANTS: Final[OperationSpecs] = {
    "GET": list_spec(_TENANT_EXAMPLE),
    "POST": create_spec(
        {**_NEW_TENANT_EXAMPLE, "admin": {"email": "ren@example.com", "name": "Ren Ito"}},
        {
            **_TENANT_EXAMPLE,
            **_NEW_TENANT_EXAMPLE,
            "domains": _NEW_TENANT_DOMAINS,
            "admin": {"id": examples.NEW_USER, "email": "ren@example.com"},
        },
        request=NewTenantSerializer,
        response=CreatedTenantSerializer,
    ),
}
TENANT: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_TENANT_PATH, response_example=_TENANT_EXAMPLE),
    "PATCH": OperationSpec(
        path=_TENANT_PATH,
        request=ChangedTenantSerializer,
        request_example={"status": "suspended"},
        response_example={**_TENANT_EXAMPLE, "status": "suspended"},
    ),
    "DELETE": OperationSpec(
        path=_TENANT_PATH,
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
}
TENANT_USAGE: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_TENANT_PATH, response=UsageSerializer, response_example=_USAGE_EXAMPLE)
}
TENANT_IMPERSONATIONS: Final[OperationSpecs] = {
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
}
TENANT_EXPORTS: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_TENANT_PATH,
        request=None,
        status=202,
        response=ProgressSerializer,
        response_example={**_PROGRESS_EXAMPLE, "status": "queued"},
    )
}
TENANT_EXPORT: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_EXPORT_PATH, response=ExportSerializer, response_example=_EXPORT_EXAMPLE)
}
TENANT_EXPORT_ARCHIVE: Final[OperationSpecs] = {
    "GET": OperationSpec(
        path=_EXPORT_PATH,
        query={
            "token": {
                "type": "string",
                "description": "As `download_url` has it.",
                "example": examples.ARCHIVE_LINK,
            }
        },
        text_examples={"application/zip": "PK…"},
    )
}
TLS_DOMAIN: Final[OperationSpecs] = {
    "GET": OperationSpec(
        query={
            "domain": {
                "type": "string",
                "description": "The name that a client asked the proxy for.",
                "example": examples.DOMAIN,
            }
        },
        response_example={"domain": examples.DOMAIN},
    )
}
TENANT_PURGE: Final[OperationSpecs] = {
    "POST": no_content_spec(
        path={"id": examples.DELETED_TENANT}, request_example={"confirm": examples.DELETED_SLUG}
    )
}
TENANT_DOMAINS: Final[OperationSpecs] = {
    "GET": list_spec(_CLAIM_EXAMPLE, path=_TENANT_PATH),
    "POST": create_spec(
        {"domain": "new.seishin-dojo.de"},
        {
            **_CLAIM_EXAMPLE,
            "domain": "new.seishin-dojo.de",
            "record": {
                "name": "_tatami.new.seishin-dojo.de",
                "type": "TXT",
                "value": "tatami-verification=4hmxnyq2d7sbr6vtz3kaw5fpcj2geu4o",
            },
        },
        path=_TENANT_PATH,
        request=NewDomainSerializer,
    ),
}
TENANT_DOMAIN: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_DOMAIN_PATH, response_example=_DOMAIN_EXAMPLE),
    "PATCH": OperationSpec(
        path=_DOMAIN_PATH,
        request=ChangedDomainSerializer,
        request_example={"is_primary": True},
        response_example={**_DOMAIN_EXAMPLE, "is_primary": True},
    ),
    "DELETE": no_content_spec(path=_DOMAIN_PATH),
}
TENANT_DOMAIN_VERIFICATION: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path={**_TENANT_PATH, "domain": examples.CLAIMED_DOMAIN},
        request=None,
        response_example={**_DOMAIN_EXAMPLE, "domain": examples.CLAIMED_DOMAIN},
    )
}
