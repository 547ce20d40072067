"""Access and refresh tokens: those of simplejwt, bound to one dojo.

The audience is the UUID of the current scope when encoding and decoding, so a token of dojo A is refused in dojo B
before any user is loaded. Algorithm, issuer and key come from our own lists, never from the token. The time comes from
`tatami.clock`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any, Final, TypeVar
from uuid import UUID

import jwt
from cachetools import LRUCache
from django.conf import settings
from jwt.utils import base64url_decode, base64url_encode
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import Token

from tatami import clock
from tatami.ids import uuid7
from tatami.keys import token_secrets
from tatami.tenancy.scope import current_tenant_id

ALGORITHM: Final = "HS256"
ISSUER: Final = "tatami"
MAX_TOKEN_LENGTH: Final = 2048
"""In characters; a longer token is refused before it is parsed."""
REQUIRED_CLAIMS: Final = ("aud", "iss", "exp", "iat", "jti", "sub", "sid", "token_type")
_LATEST_EXPIRY: Final = 1 << 40


class TenantTokenBackend(TokenBackend):
    """Signs and verifies tokens for the current scope. Raises `TokenBackendError` for every invalid token."""

    def __init__(self) -> None:
        super().__init__(ALGORITHM, issuer=ISSUER)

    def encode(self, payload: dict[str, Any]) -> str:
        key_id, secret = next(iter(token_secrets().items()))
        claims = {**payload, "aud": str(current_tenant_id()), "iss": ISSUER}
        return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": key_id})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        claims = self._verified(token)
        for name in ("sub", "sid", "jti"):
            _as_uuid(claims[name])
        if "act" in claims:
            _as_actor(claims["act"])
        expiry = claims["exp"]
        if type(expiry) is not int or not 0 < expiry < _LATEST_EXPIRY:
            raise TokenBackendError("the expiry is not a point in time")
        if clock.now().timestamp() >= expiry:
            raise TokenBackendExpiredToken("the token has expired")
        return claims

    def _verified(self, token: Any) -> dict[str, Any]:
        text = token.decode("ascii", "replace") if isinstance(token, bytes) else token
        if not isinstance(text, str) or len(text) > MAX_TOKEN_LENGTH:
            raise TokenBackendError("not a token")
        try:
            header = jwt.get_unverified_header(text)
            secret = token_secrets().get(header.get("kid", ""))
            if secret is None or "crit" in header:
                raise TokenBackendError("the signing key is unknown")
            if not _is_canonical(text.rpartition(".")[2]):
                raise TokenBackendError("the signature is not written in its canonical form")
            claims: dict[str, Any] = jwt.decode(
                text,
                secret,
                algorithms=[ALGORITHM],
                audience=str(current_tenant_id()),
                issuer=ISSUER,
                options={
                    "require": list(REQUIRED_CLAIMS),
                    "strict_aud": True,
                    # `decode` checks the time, because tests cannot set the library's clock.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenBackendError("the token is not valid") from error
        return claims


def _as_uuid(value: object) -> UUID:
    try:
        parsed = UUID(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value:
        raise TokenBackendError("an id in the token is not a UUID")
    return parsed


def _as_actor(value: object) -> None:
    if not isinstance(value, dict) or value.keys() != {"sub", "sid"}:
        raise TokenBackendError("the token does not name the impersonator")
    for member in value.values():
        _as_uuid(member)


def _is_canonical(part: str) -> bool:
    """Return whether a part of a token is base64url without padding and without unused bits, so it has one form."""
    return base64url_encode(base64url_decode(part)).decode() == part


class TatamiToken(Token):
    """The base of both kinds of token, with our ids, our clock and our backend."""

    _token_backend = TenantTokenBackend()

    def __init__(self, token: Any = None, verify: bool = True) -> None:
        super().__init__(token, verify)
        if token is None:
            now = clock.now()
            self.set_iat(at_time=now)
            self.set_exp(from_time=now, lifetime=self.lifetime)

    def set_jti(self) -> None:
        self.payload["jti"] = str(uuid7())

    def verify(self) -> None:
        # The backend has checked the expiry and the required claims.
        self.verify_token_type()

    def get_token_backend(self) -> TokenBackend:
        return self._token_backend

    @cached_property
    def user_id(self) -> UUID:
        return UUID(self.payload["sub"])

    @cached_property
    def session_id(self) -> UUID:
        return UUID(self.payload["sid"])


@dataclass(frozen=True, slots=True)
class Actor:
    """The superadmin who impersonates a user, and their session. Both belong to the platform."""

    user_id: UUID
    session_id: UUID


class AccessToken(TatamiToken):
    """The token of a request. It lives for five minutes, because it cannot be revoked in the database."""

    token_type = "access"  # noqa: S105
    lifetime = timedelta(minutes=5)

    @cached_property
    def actor(self) -> Actor | None:
        """Return the impersonator (`act` of RFC 8693), or `None` if the users act for themselves."""
        act = self.payload.get("act")
        return Actor(user_id=UUID(act["sub"]), session_id=UUID(act["sid"])) if act else None


VERIFIED_TOKENS: Final = 10_000
"""How many verified access tokens a process remembers; about 2 kB each."""

_verified: LRUCache[tuple[str, UUID, tuple[str, ...]], AccessToken] = LRUCache(VERIFIED_TOKENS)
_verified_lock: Final = Lock()


def read_access_token(text: str) -> AccessToken:
    """Return the access token if it is valid in the current scope. Raises `ExpiredTokenError` or `TokenError`.

    A verified token is remembered, because verifying costs more than the rest of authentication. What can change is
    checked each time: the expiry here, the session and the user in the database by the caller.
    """
    key = text, current_tenant_id(), tuple(settings.TATAMI_SECRETS)
    with _verified_lock:
        token = _verified.get(key)
    if token is None:
        token = AccessToken(text)
        with _verified_lock:
            _verified[key] = token
    elif clock.now().timestamp() >= token.payload["exp"]:
        raise ExpiredTokenError("the token has expired")
    return token


class ImpersonationToken(AccessToken):
    """An access token with which a superadmin impersonates a dojo's user. It cannot be renewed."""

    lifetime = timedelta(minutes=15)


class RefreshToken(TatamiToken):
    """The token that renews a session. It can be used once."""

    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(days=30)


K = TypeVar("K", bound=TatamiToken)


def issue(kind: type[K], *, user_id: UUID, session_id: UUID) -> K:
    """Return a new token of `kind` for a user's session in the current scope."""
    token = kind()
    token["sub"] = str(user_id)
    token["sid"] = str(session_id)
    return token


def issue_impersonation(*, user_id: UUID, session_id: UUID, actor: Actor) -> ImpersonationToken:
    """Return a new access token with which `actor` impersonates the user of a session."""
    token = issue(ImpersonationToken, user_id=user_id, session_id=session_id)
    token["act"] = {"sub": str(actor.user_id), "sid": str(actor.session_id)}
    return token


def expires_at(token: TatamiToken) -> datetime:
    """Return when the token expires, aware and in UTC."""
    return datetime.fromtimestamp(token.payload["exp"], tz=UTC)


__all__ = [
    "AccessToken",
    "Actor",
    "ExpiredTokenError",
    "RefreshToken",
    "TokenError",
    "expires_at",
    "issue",
    "issue_impersonation",
    "read_access_token",
]
