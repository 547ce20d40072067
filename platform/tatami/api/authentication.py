"""Find the caller of a request from its bearer token, with one SQL statement.

A user's token is a JWT. A device's token is opaque and begins with `DEVICE_TOKEN_PREFIX`, an API key begins with
`API_KEY_PREFIX`; the apps that store them look them up (`registry.find_device`, `registry.find_api_key_user`). All are
looked up in the current scope only.

A superadmin may impersonate a user of a dojo: the token then names the superadmin as its actor. The superadmin's
session is a row of `public`, which a dojo's transaction cannot read. So `ImpersonationMiddleware` looks it up before
that transaction begins, and only for a token that names an actor. `BearerAuthentication` refuses the token if the
middleware has not found the session.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from structlog.contextvars import bound_contextvars

from tatami import clock
from tatami.api import registry
from tatami.api.permissions import rule_of
from tatami.api.request import ApiRequest, Caller, client_address
from tatami.errors import TokenExpired, TokenInvalid
from tatami.tenancy.scope import platform_scope
from tatami.tokens import (
    MAX_TOKEN_LENGTH,
    AccessToken,
    Actor,
    ExpiredTokenError,
    TokenError,
    read_access_token,
)

DEVICE_TOKEN_PREFIX: Final = "tatd_"  # noqa: S105
API_KEY_PREFIX: Final = "tatk_"
IMPERSONATION_ROUTE: Final = ("tenant-impersonations", "POST")
"""The route and method whose access rule says which roles may impersonate a user."""


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access>`. Sets `request.user`, and for a user's token `request.auth`."""

    def authenticate(self, request: Request) -> tuple[Any, AccessToken | None] | None:
        """Return the caller and their token, or `None` without an `Authorization` header.

        Raises `TokenExpired`; `TokenInvalid` if anything else is wrong with the token, the session or the caller; and
        what the look-up of API keys raises.
        """
        assert isinstance(request, ApiRequest)
        scheme, token = read_authorization(request.META)
        if not scheme:
            return None
        if scheme != "bearer":
            raise TokenInvalid("Send the access token as `Authorization: Bearer <access>`.")
        if token.startswith(DEVICE_TOKEN_PREFIX):
            return self.device(token, request.now), None
        if token.startswith(API_KEY_PREFIX):
            return registry.find_api_key_user.get()(token, client_address(request), request.now), None
        return self.user(token, request)

    def user(self, text: str, request: ApiRequest) -> tuple[Any, AccessToken]:
        """Return the user of an access token: its owner, or the user that a superadmin impersonates with it."""
        try:
            token = read_access_token(text)
        except ExpiredTokenError:
            raise TokenExpired from None
        except TokenError:
            raise TokenInvalid from None
        impersonator = self.impersonator(token, request)
        users: Any = get_user_model().objects
        user = users.signed_in(
            user_id=token.user_id,
            session_id=token.session_id,
            now=request.now,
            impersonator=impersonator.pk if impersonator else None,
        )
        if user is None:
            raise TokenInvalid
        user.impersonator = impersonator
        return user, token

    def impersonator(self, token: AccessToken, request: ApiRequest) -> Any:
        """Return the superadmin who impersonates the user with this token, or `None` if there is no impersonation.

        Raises `TokenInvalid` unless `ImpersonationMiddleware` has found the superadmin's session.
        """
        if token.actor is None:
            return None
        found = getattr(request._request, "impersonator", None)
        if found is None or found.pk != token.actor.user_id:
            raise TokenInvalid
        return found

    def device(self, token: str, now: datetime) -> Caller:
        """Return the device that the token belongs to. Raises `TokenInvalid`."""
        found = registry.find_device.get()(token, now) if len(token) <= MAX_TOKEN_LENGTH else None
        if found is None:
            raise TokenInvalid
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ImpersonationMiddleware:
    """Sets `request.impersonator`, and adds their id to all log lines of the request (`impersonatedBy`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on. `BearerAuthentication` decides whether to refuse it."""
        actor = actor_of(request)
        impersonator = find_impersonator(actor) if actor else None
        if impersonator is None:
            return self.get_response(request)
        request.impersonator = impersonator  # type: ignore[attr-defined]
        with bound_contextvars(impersonatedBy=str(impersonator.pk)):
            return self.get_response(request)


def find_impersonator(actor: Actor) -> Any:
    """Return the superadmin, or `None` if their session has ended or they may no longer impersonate. One statement."""
    users: Any = get_user_model().objects
    with platform_scope():
        user = users.signed_in(user_id=actor.user_id, session_id=actor.session_id, now=clock.now())
    allowed = rule_of(*IMPERSONATION_ROUTE)
    return user if user and allowed and allowed.visibility_for(user.role) else None


def actor_of(request: HttpRequest) -> Actor | None:
    """Return the actor of the request's access token, or `None`. The token must be valid on this host."""
    scheme, token = read_authorization(request.META)
    if scheme != "bearer":
        return None
    try:
        return read_access_token(token).actor
    except TokenError:
        return None


def read_authorization(meta: Mapping[str, Any]) -> tuple[str, str]:
    """Return the scheme, in lower case, and the credentials of the `Authorization` header; both may be empty."""
    scheme, _, credentials = str(meta.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return scheme.lower(), credentials.strip(" \t")
