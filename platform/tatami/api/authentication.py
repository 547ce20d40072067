"""From the bearer token to the caller: one statement, after the token has been refused or believed."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from tatami.api.request import ApiRequest
from tatami.errors import TokenExpired, TokenInvalid
from tatami.tokens import AccessToken, ExpiredTokenError, TokenError


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access>`. Sets `request.user`, and the token as `request.auth`."""

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Return the caller and his token; None where there is no such header.

        Raises `TokenExpired`, and `TokenInvalid` for everything else that is wrong with token, session or user.
        """
        assert isinstance(request, ApiRequest)
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        if not scheme:
            return None
        if scheme.lower() != b"bearer":
            raise TokenInvalid("Send the access token as `Authorization: Bearer <access>`.")
        try:
            token = AccessToken(raw.strip())
        except ExpiredTokenError:
            raise TokenExpired from None
        except TokenError:
            raise TokenInvalid from None
        users: Any = get_user_model().objects
        user = users.signed_in(user_id=token.user_id, session_id=token.session_id, now=request.now)
        if user is None:
            raise TokenInvalid
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
