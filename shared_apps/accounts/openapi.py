"""OpenAPI operations and examples of sign-in and the audit log.

`/me` and `/users` have other examples on the platform than in a tenant. Therefore the urlconfs of the hosts declare
their operations, by `me_operations` and `user_operations`.
"""

from typing import Any, Final

from rest_framework import serializers

from shared_apps.accounts.models import Role
from shared_apps.accounts.serializers import (
    AuthenticatorSerializer,
    MeAnswerSerializer,
    NewApiKeySerializer,
    NewSecondFactorSerializer,
    PasskeyRequestSerializer,
    RecoveryCodesSerializer,
    SecondSignInSerializer,
    SignInPolicySerializer,
    SignInSerializer,
    TokensSerializer,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import (
    OperationSpec,
    OperationSpecs,
    create_spec,
    list_spec,
    no_content_spec,
    resource_specs,
)
from tatami.api.serializers import ReferenceSerializer

USER_EXAMPLE: Final = {"id": examples.USER, "email": examples.EMAIL, "name": "Hana Sato", "role": "admin"}
_TOKENS: Final = {
    "access": examples.ACCESS,
    "refresh": examples.REFRESH,
    "token_type": "Bearer",
    "expires_in": 300,
    "refresh_expires_in": 2_592_000,
}
_AUDIT_ENTRY: Final = {
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

LOGIN: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"email": examples.EMAIL, "password": examples.PASSWORD},
        response=SignInSerializer,
        response_example={**_TOKENS, "user": USER_EXAMPLE},
    )
}
REFRESH: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"refresh": examples.REFRESH}, response=TokensSerializer, response_example=_TOKENS
    )
}
LOGOUT: Final[OperationSpecs] = {"POST": no_content_spec(request_example={"refresh": examples.REFRESH})}
CHANGE_PASSWORD: Final[OperationSpecs] = {
    "POST": no_content_spec(
        request_example={"current_password": examples.PASSWORD, "new_password": examples.NEW_PASSWORD}
    )
}
REQUEST_PASSWORD_RESET: Final[OperationSpecs] = {
    "POST": no_content_spec(request_example={"email": examples.EMAIL})
}
CONFIRM_PASSWORD_RESET: Final[OperationSpecs] = {
    "POST": no_content_spec(request_example={"token": examples.LINK, "new_password": examples.NEW_PASSWORD})
}
_NEW_API_KEY: Final = {
    "name": "Accounting",
    "role": "admin",
    "read_only": True,
    "expires_on": "2026-12-31",
    "allowed_addresses": ["203.0.113.0/24"],
}
_API_KEY: Final = {
    "id": examples.API_KEY,
    "tenant_id": examples.TENANT,
    **_NEW_API_KEY,
    "prefix": "tatk_9f2c1e",
    "last_used_at": examples.NOW,
    "last_used_address": "203.0.113.7",
    "revoked_at": None,
    **examples.STAMPS,
}
API_KEYS: Final[OperationSpecs] = {
    "GET": list_spec(_API_KEY),
    "POST": create_spec(
        _NEW_API_KEY,
        {**_API_KEY, "last_used_at": None, "last_used_address": "", "key": examples.API_KEY_TEXT},
        response=NewApiKeySerializer,
    ),
}
API_KEY: Final[OperationSpecs] = {
    "GET": OperationSpec(path={"id": examples.API_KEY}, response_example=_API_KEY),
    "DELETE": no_content_spec(path={"id": examples.API_KEY}),
}
_CODES: Final = {"recovery_codes": ["k7qp-2m9x-4r8t-vb3z"]}
_ENROLMENT: Final = {
    "id": examples.SECOND_FACTOR,
    "kind": "totp",
    "secret": "JBSWY3DPEHPK3PXP",
    "uri": "otpauth://totp/Seishin%20Dojo:hana%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Seishin%20Dojo",
    "image": "data:image/svg+xml;base64,PHN2Zy8+",
    "options": None,
}
_SECOND_FACTOR: Final = {
    "id": examples.SECOND_FACTOR,
    "tenant_id": examples.TENANT,
    "kind": "totp",
    "name": "My phone",
    "host": None,
    "confirmed_at": examples.NOW,
    "last_used_at": examples.NOW,
    **examples.STAMPS,
}
_PASSWORD: Final = {"password": examples.PASSWORD}
_OF_FACTOR: Final = {"id": examples.SECOND_FACTOR}
_POLICY: Final = {"second_factor_roles": ["instructor"]}
SECOND_STEP: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"challenge": examples.CHALLENGE, "code": examples.TOTP_CODE},
        response=SecondSignInSerializer,
        response_example={**_TOKENS, "user": USER_EXAMPLE, "recovery_codes": []},
    )
}
_SIGNED: Final = {
    "id": examples.PASSKEY["id"],
    "rawId": examples.PASSKEY["id"],
    "type": "public-key",
    "response": {name: value for name, value in examples.PASSKEY.items() if name != "id"},
}
PASSKEY_OPTIONS: Final[OperationSpecs] = {
    "POST": OperationSpec(
        response=PasskeyRequestSerializer,
        response_example={
            "challenge": examples.CHALLENGE,
            "options": {
                "challenge": "n0o8Xh3T1kK0m4pXcXq0l7r3S5uTnY9aB2cD4eF6gH8",
                "rpId": "seishin.example.com",
                "userVerification": "required",
            },
            "expires_in": 300,
        },
    )
}
PASSKEY_SIGN_IN: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"challenge": examples.PASSKEY_CHALLENGE, "passkey": _SIGNED},
        response=SignInSerializer,
        response_example={**_TOKENS, "user": USER_EXAMPLE},
    )
}
ENROLMENT_BY_CHALLENGE: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"challenge": examples.ENROLMENT_CHALLENGE},
        status=201,
        response=AuthenticatorSerializer,
        response_example=_ENROLMENT,
    )
}
SECOND_FACTORS: Final[OperationSpecs] = {
    "GET": list_spec(_SECOND_FACTOR),
    "POST": create_spec(
        {**_PASSWORD, "name": "My phone"},
        _ENROLMENT,
        request=NewSecondFactorSerializer,
        response=AuthenticatorSerializer,
    ),
}
SECOND_FACTOR: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_OF_FACTOR, response_example=_SECOND_FACTOR),
    "DELETE": no_content_spec(path=_OF_FACTOR),
}
CONFIRMATION: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path={"id": examples.NEW_SECOND_FACTOR},
        request_example={"code": examples.TOTP_CODE},
        response=RecoveryCodesSerializer,
        response_example=_CODES,
    )
}
RECOVERY_CODES: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example=_PASSWORD, status=201, response=RecoveryCodesSerializer, response_example=_CODES
    )
}
_OWN_SESSION: Final = {
    "id": examples.OWN_SESSION,
    "tenant_id": examples.TENANT,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "address": "203.0.113.7",
    "last_used_at": examples.NOW,
    "expires_at": "2026-06-29T16:00:00Z",
    "is_current": True,
    "is_impersonation": False,
    **examples.STAMPS,
}
_OF_SESSION: Final = {"id": examples.OWN_SESSION}
OWN_SESSIONS: Final[OperationSpecs] = {"GET": list_spec(_OWN_SESSION), "DELETE": no_content_spec()}
OWN_SESSION: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_OF_SESSION, response_example=_OWN_SESSION),
    "DELETE": no_content_spec(path=_OF_SESSION),
}
USER_SECOND_FACTORS: Final[OperationSpecs] = {"DELETE": no_content_spec(path={"id": examples.USER})}
SIGN_IN_POLICY: Final[OperationSpecs] = {
    "GET": OperationSpec(response=SignInPolicySerializer, response_example=_POLICY),
    "PATCH": OperationSpec(
        request_example=_POLICY, response=SignInPolicySerializer, response_example=_POLICY
    ),
}
AUDIT_LOG: Final[OperationSpecs] = {"GET": list_spec(_AUDIT_ENTRY)}


class UserOrColleagueSerializer(serializers.Serializer[Any]):
    """A user. Callers who are not admins see only `id`, `name` and `role`, and only of active staff."""

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


def me_operations(example: dict[str, Any]) -> OperationSpecs:
    """Return the operations of `/me` on a kind of host, from an example of its response."""
    renamed = {**example, "name": "Hana Mori"}
    return {
        "GET": OperationSpec(response=MeAnswerSerializer, response_example=example),
        "PATCH": OperationSpec(
            response=MeAnswerSerializer, request_example={"name": "Hana Mori"}, response_example=renamed
        ),
    }


def user_operations(user: dict[str, Any], new: dict[str, Any]) -> dict[str, OperationSpecs]:
    """Return the operations of the user routes on a kind of host, from examples of a user and of a new one."""
    resource = resource_specs({"id": user["id"]}, user, {"name": "Hana Mori"})
    resource["GET"] = OperationSpec(
        path={"id": user["id"]}, response=UserOrColleagueSerializer, response_example=user
    )
    created = {name: value for name, value in new.items() if name != "students"}
    return {
        "users": {
            "GET": list_spec(user, response=UserOrColleagueSerializer),
            "POST": create_spec(new, {**user, **created, "id": examples.NEW_USER}),
        },
        "user": resource,
    }
