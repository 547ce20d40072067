"""Access and refresh tokens: simplejwt's, bound to one dojo and to nothing that a token may choose itself.

The audience is the UUID of the scope in force, on encode and decode: a token of dojo A is refused in dojo B before
any user is loaded. Algorithm, issuer and key ids come from our own lists; time comes from our clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import jwt
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
LONGEST_TOKEN: Final = 2048
"""Characters; longer ones are refused unread."""
REQUIRED_CLAIMS: Final = ("aud", "iss", "exp", "iat", "jti", "sub", "sid", "token_type")
_LATEST_EXPIRY: Final = 1 << 40


class TenantTokenBackend(TokenBackend):
    """Signs and verifies for the scope in force. Every fault of a token is a `TokenBackendError`."""

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
        if not isinstance(text, str) or len(text) > LONGEST_TOKEN:
            raise TokenBackendError("not a token")
        try:
            header = jwt.get_unverified_header(text)
            secret = token_secrets().get(header.get("kid", ""))
            if secret is None or "crit" in header:
                raise TokenBackendError("signed by nobody we know")
            claims: dict[str, Any] = jwt.decode(
                text,
                secret,
                algorithms=[ALGORITHM],
                audience=str(current_tenant_id()),
                issuer=ISSUER,
                options={
                    "require": list(REQUIRED_CLAIMS),
                    "strict_aud": True,
                    # The clock below decides about time; the library's own cannot be set.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as fault:
            raise TokenBackendError("the token is not valid") from fault
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
        raise TokenBackendError("the token does not say who acts")
    for member in value.values():
        _as_uuid(member)


class TatamiToken(Token):
    """What both kinds share: our ids, our clock, our backend."""

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
        # The backend has checked the expiry and the claims that must be there.
        self.verify_token_type()

    def get_token_backend(self) -> TokenBackend:
        return self._token_backend

    @property
    def user_id(self) -> UUID:
        return UUID(self.payload["sub"])

    @property
    def session_id(self) -> UUID:
        return UUID(self.payload["sid"])


@dataclass(frozen=True, slots=True)
class Actor:
    """The superadmin who acts as somebody else, and the session of his that it hangs on. Both are of the platform."""

    user_id: UUID
    session_id: UUID


class AccessToken(TatamiToken):
    """What a request bears: five minutes, so that what the database cannot take back ends soon by itself."""

    token_type = "access"  # noqa: S105
    lifetime = timedelta(minutes=5)

    @property
    def actor(self) -> Actor | None:
        """Return who acts as the user (RFC 8693's `act`), None where it is the user himself."""
        act = self.payload.get("act")
        return Actor(user_id=UUID(act["sub"]), session_id=UUID(act["sid"])) if act else None


class ImpersonationToken(AccessToken):
    """An access token by which a superadmin acts as a dojo's user. Nothing renews it."""

    lifetime = timedelta(minutes=15)


class RefreshToken(TatamiToken):
    """What renews a session: works once."""

    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(days=30)


K = TypeVar("K", bound=TatamiToken)


def issue(kind: type[K], *, user_id: UUID, session_id: UUID) -> K:
    """Return a new token of `kind` for a user's session in the scope in force."""
    token = kind()
    token["sub"] = str(user_id)
    token["sid"] = str(session_id)
    return token


def issue_impersonation(*, user_id: UUID, session_id: UUID, actor: Actor) -> ImpersonationToken:
    """Return a new access token for a user's session, which an actor of the platform uses."""
    token = issue(ImpersonationToken, user_id=user_id, session_id=session_id)
    token["act"] = {"sub": str(actor.user_id), "sid": str(actor.session_id)}
    return token


def expires_at(token: TatamiToken) -> datetime:
    """Return when the token ends, aware and in UTC."""
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
]
