"""From the bearer token to the caller: one statement, after the token has been refused or believed.

A user's token is a JWT. A device's is opaque and begins with `DEVICE_PREFIX`; whoever `settings.TATAMI_DEVICES` names
knows the devices. Both are looked for in the scope in force alone.
"""

from datetime import datetime
from typing import Any, Final, Protocol, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from tatami.api.request import ApiRequest, Caller
from tatami.errors import TokenExpired, TokenInvalid
from tatami.tokens import LONGEST_TOKEN, AccessToken, ExpiredTokenError, TokenError

DEVICE_PREFIX: Final = "tatd_"


class FindDevice(Protocol):
    """What `settings.TATAMI_DEVICES` names."""

    def __call__(self, token: str, now: datetime) -> Caller | None:
        """Return the device that bears this token in the scope in force, or None."""


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access>`. Sets `request.user`, and a user's token as `request.auth`."""

    def authenticate(self, request: Request) -> tuple[Any, AccessToken | None] | None:
        """Return the caller and his token; None where there is no such header.

        Raises `TokenExpired`, and `TokenInvalid` for everything else that is wrong with token, session or caller.
        """
        assert isinstance(request, ApiRequest)
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        if not scheme:
            return None
        if scheme.lower() != b"bearer":
            raise TokenInvalid("Send the access token as `Authorization: Bearer <access>`.")
        token = raw.strip().decode("ascii", "replace")
        if token.startswith(DEVICE_PREFIX):
            return self.device(token, request.now), None
        return self.user(token, request)

    def user(self, text: str, request: ApiRequest) -> tuple[Any, AccessToken]:
        """Return the user whose access token this is, or as whom a superadmin acts by it."""
        try:
            token = AccessToken(text)
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
        """Return the superadmin who acts by this token, None where it is the user himself.

        Raises `TokenInvalid` unless `tatami.api.impersonation` has found that he is still signed in.
        """
        if token.actor is None:
            return None
        found = getattr(request._request, "impersonator", None)
        if found is None or found.pk != token.actor.user_id:
            raise TokenInvalid
        return found

    def device(self, token: str, now: datetime) -> Caller:
        """Return the device whose token this is."""
        find = cast("FindDevice", import_string(settings.TATAMI_DEVICES))
        found = find(token, now) if len(token) <= LONGEST_TOKEN else None
        if found is None:
            raise TokenInvalid
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
