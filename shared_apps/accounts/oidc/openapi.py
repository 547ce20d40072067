"""OpenAPI operations and examples of the identity provider, and of a sign-in with it."""

from typing import Any, Final

from shared_apps.accounts.oidc.serializers import IdentityProviderSerializer
from shared_apps.accounts.openapi import LOGIN
from shared_apps.accounts.serializers import SignInSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, OperationSpecs, no_content_spec

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_SETTINGS: Final = {
    "issuer": examples.ISSUER,
    "client_id": "tatami",
    "email_domains": ["example.com"],
    "is_enabled": True,
}
_PROVIDER: Final = {
    "id": examples.TENANT,
    "tenant_id": examples.TENANT,
    **_SETTINGS,
    "has_client_secret": True,
    "redirect_uri": "https://seishin.example.com/auth/oidc/callback",
    **examples.STAMPS,
}

START: Final[OperationSpecs] = {
    "GET": OperationSpec(
        query={
            "code_challenge": {**_TEXT, "example": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
            "return_to": {**_TEXT, "example": "/signed-in"},
        },
        status=302,
        response=None,
    )
}
CALLBACK: Final[OperationSpecs] = {
    "GET": OperationSpec(
        query={
            "state": {**_TEXT, "example": examples.OIDC_STATE},
            "code": {**_TEXT, "example": examples.OIDC_PROVIDER_CODE},
        },
        status=302,
        response=None,
    )
}
REDEEM: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={"code": examples.OIDC_CODE, "code_verifier": examples.CODE_VERIFIER},
        response=SignInSerializer,
        response_example=LOGIN["POST"].response_example,
    )
}
IDENTITY_PROVIDER: Final[OperationSpecs] = {
    "GET": OperationSpec(response=IdentityProviderSerializer, response_example=_PROVIDER),
    "PUT": OperationSpec(
        request_example={**_SETTINGS, "client_secret": "a-secret-of-the-provider"},
        response=IdentityProviderSerializer,
        response_example=_PROVIDER,
    ),
    "DELETE": no_content_spec(),
}
USER_IDENTITIES: Final[OperationSpecs] = {"DELETE": no_content_spec(path={"id": examples.USER})}
