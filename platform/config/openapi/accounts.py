"""Signing in, oneself, the users and the audit."""

from typing import Any, Final

from rest_framework import serializers

from shared_apps.accounts.models import Role
from shared_apps.accounts.serializers import (
    AuditSerializer,
    MeTenantSerializer,
    SignedInUserSerializer,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec, resource_specs


class ReferenceSerializer(serializers.Serializer[Any]):
    """Another resource, by its id and the name it has for people."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class TokensSerializer(serializers.Serializer[Any]):
    """What to send from now on; both lives are in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField()
    refresh_expires_in = serializers.IntegerField()


class SignInSerializer(TokensSerializer):
    """The tokens, and who signed in."""

    user = SignedInUserSerializer()


class MeAnswerSerializer(serializers.Serializer[Any]):
    """The caller: who he is here, and for whom he speaks. On the platform `tenant` is null."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    tenant = MeTenantSerializer(allow_null=True)
    students = ReferenceSerializer(many=True)
    impersonated_by = ReferenceSerializer(required=False)
    """The superadmin who acts as this user; only there while one does."""


class UserOrColleagueSerializer(serializers.Serializer[Any]):
    """A user. Who is not an admin sees `id`, `name` and `role` of active staff only."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField(required=False)
    email = serializers.EmailField(required=False)
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    is_active = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(required=False)
    students = ReferenceSerializer(many=True, required=False)
    created_at = serializers.DateTimeField(required=False)
    updated_at = serializers.DateTimeField(required=False)


class AuditEntrySerializer(AuditSerializer):
    """One deed. `action` is the route and the method; `fields` are names, never values."""

    actor = ReferenceSerializer()  # type: ignore[assignment]
    impersonated_by = ReferenceSerializer(allow_null=True)  # type: ignore[assignment]


SIGNED_IN: Final = {"id": examples.USER, "email": examples.EMAIL, "name": "Hana Sato", "role": "admin"}
TOKENS: Final = {
    "access": examples.ACCESS,
    "refresh": examples.REFRESH,
    "token_type": "Bearer",
    "expires_in": 300,
    "refresh_expires_in": 2_592_000,
}
HOME: Final = {
    "id": examples.TENANT,
    "slug": "seishin",
    "name": "Seishin Dojo",
    "timezone": "Europe/Berlin",
}
ENTRY: Final = {
    "id": examples.AUDIT_ENTRY,
    "tenant_id": examples.TENANT,
    "created_at": examples.NOW,
    "actor": examples.HANA,
    "impersonated_by": None,
    "action": "student.patch",
    "object": examples.STUDENT,
    "fields": ["phone"],
    "reason": "",
    "address": "203.0.113.7",
    "request_id": "0197722e-1f00-7000-8000-5e15f1d0c0de",
}

SIGN_IN: Final = {
    "login": {
        "POST": OperationSpec(
            request_example={"email": examples.EMAIL, "password": examples.PASSWORD},
            response=SignInSerializer,
            response_example={**TOKENS, "user": SIGNED_IN},
        )
    },
    "refresh": {
        "POST": OperationSpec(
            request_example={"refresh": examples.REFRESH}, response=TokensSerializer, response_example=TOKENS
        )
    },
    "logout": {"POST": no_content_spec(request_example={"refresh": examples.REFRESH})},
    "password": {
        "POST": no_content_spec(
            request_example={"current_password": examples.PASSWORD, "new_password": examples.NEW_PASSWORD}
        )
    },
    "password-reset": {"POST": no_content_spec(request_example={"email": examples.EMAIL})},
    "password-reset-confirm": {
        "POST": no_content_spec(
            request_example={"token": examples.LINK, "new_password": examples.NEW_PASSWORD}
        )
    },
    "audit": {"GET": list_spec(ENTRY, response=AuditEntrySerializer)},
}


def me(shown: dict[str, Any]) -> dict[str, OperationSpec]:
    """Return the descriptions of `/me` on a kind of host."""
    renamed = {**shown, "name": "Hana Mori"}
    return {
        "GET": OperationSpec(response=MeAnswerSerializer, response_example=shown),
        "PATCH": OperationSpec(
            response=MeAnswerSerializer, request_example={"name": "Hana Mori"}, response_example=renamed
        ),
    }


def users(user: dict[str, Any], new: dict[str, Any]) -> dict[str, dict[str, OperationSpec]]:
    """Return the descriptions of the users of a kind of host: one of them, and what makes another."""
    one = resource_specs({"id": user["id"]}, user, {"name": "Hana Mori"})
    one["GET"] = OperationSpec(
        path={"id": user["id"]}, response=UserOrColleagueSerializer, response_example=user
    )
    shown = {name: value for name, value in new.items() if name != "students"}
    return {
        "users": {
            "GET": list_spec(user, response=UserOrColleagueSerializer),
            "POST": create_spec(new, {**user, **shown, "id": examples.NEW_USER}),
        },
        "user": one,
    }


_ROOT: Final = {
    "id": examples.USER,
    "tenant_id": examples.PLATFORM,
    "email": examples.EMAIL,
    "name": "Hana Sato",
    "role": "admin",
    "is_active": True,
    "archived": False,
    **examples.STAMPS,
}

ON_THE_PLATFORM: Final = {
    "me": me({**SIGNED_IN, "tenant": None, "students": []}),
    **users(_ROOT, {"email": "ren@example.com", "name": "Ren Ito", "role": "admin"}),
}
