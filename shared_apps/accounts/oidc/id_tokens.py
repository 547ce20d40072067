"""ID tokens: what a provider says about a user, with its signature (OpenID Connect Core 1.0, section 3.1.3.7).

`joserfc` checks the signature, `authlib` the claims. Accepted are signatures of asymmetric keys only, by keys of the
provider's own key set: never `none`, and never an HMAC, which could be made with a public key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import JWKRegistry
from joserfc.util import urlsafe_b64decode

from shared_apps.accounts.oidc.errors import IdentityTokenInvalid
from tatami.text import email_key

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
KEY_TYPES: Final = {"R": "RSA", "P": "RSA", "ES": "EC", "Ed": "OKP"}
LEEWAY_SECONDS: Final = 60
"""How much the clocks of provider and installation may differ."""
SMALLEST_RSA_BITS: Final = 2048
MOST_CHARACTERS: Final = 16 * 1024
MOST_KEYS: Final = 20
_REASONS: Final = {
    "iss": "issuer",
    "aud": "audience",
    "azp": "audience",
    "nonce": "nonce",
    "exp": "expired",
    "iat": "not_yet_valid",
    "nbf": "not_yet_valid",
    "at_hash": "access_token",
    "sub": "subject",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as their provider knows them. `email` is as the provider writes it."""

    issuer: str
    subject: str
    email: str
    is_verified: bool

    @property
    def email_key(self) -> str:
        return email_key(self.email)


def key_finder(token: str) -> Callable[[list[Any]], bool]:
    """Return a test whether a key set has the key that a token names. Raises `IdentityTokenInvalid`."""
    header = _header(token)
    return lambda keys: bool(_candidates(header, keys))


def read_id_token(
    token: str, *, keys: list[Any], issuer: str, client_id: str, nonce: str, access_token: str, now: datetime
) -> Identity:
    """Return the identity that an ID token states, if it is valid for this sign-in.

    Raises `IdentityTokenInvalid` with the reason: `algorithm`, `signature`, `issuer`, `audience`, `nonce`, `expired`,
    `not_yet_valid`, `access_token`, `subject` or `malformed`.
    """
    header = _header(token)
    claims = CodeIDToken(
        _verified_claims(token, _candidates(header, keys)),
        header,
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "sub": {"essential": True},
        },
        params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
    )
    try:
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except ExpiredTokenError:
        raise IdentityTokenInvalid("expired") from None
    except (InvalidClaimError, MissingClaimError) as fault:
        raise IdentityTokenInvalid(_REASONS.get(fault.claim, "malformed")) from None
    except (JoseError, TypeError, ValueError):
        raise IdentityTokenInvalid("malformed") from None
    subject, email = claims["sub"], claims.get("email", "")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004 - the length that OpenID allows
        raise IdentityTokenInvalid("subject")
    is_verified = claims.get("email_verified") in (True, "true") and isinstance(email, str) and bool(email)
    return Identity(issuer, subject, email if is_verified else "", is_verified)


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > MOST_CHARACTERS:
        raise IdentityTokenInvalid("malformed")
    try:
        header = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
    except (ValueError, TypeError, AttributeError):
        raise IdentityTokenInvalid("malformed") from None
    if not isinstance(header, dict):
        raise IdentityTokenInvalid("malformed")
    if header.get("alg") not in ALGORITHMS:
        raise IdentityTokenInvalid("algorithm")
    return header


def _candidates(header: Mapping[str, Any], keys: list[Any]) -> list[Any]:
    """Return the keys of the set that may have made this signature."""
    alg, kid = str(header["alg"]), header.get("kid")
    kind = KEY_TYPES.get(alg[:2]) or KEY_TYPES[alg[:1]]
    return [
        key
        for key in keys
        if isinstance(key, dict)
        and key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", alg) == alg
        and (kid is None or key.get("kid") == kid)
    ][:MOST_KEYS]


def _verified_claims(token: str, candidates: list[Any]) -> dict[str, Any]:
    """Return the claims of a token that one of the keys has signed. Raises `IdentityTokenInvalid`."""
    for candidate in candidates:
        try:
            if candidate["kty"] == "RSA" and _bits(candidate["n"]) < SMALLEST_RSA_BITS:
                continue
            key = JWKRegistry.import_key(candidate)
            return dict(jwt.decode(token, key, algorithms=ALGORITHMS).claims)
        except BadSignatureError:
            continue
        except UnsupportedAlgorithmError:
            raise IdentityTokenInvalid("algorithm") from None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    raise IdentityTokenInvalid("signature")


def _bits(modulus: str) -> int:
    return int.from_bytes(urlsafe_b64decode(modulus.encode("ascii"))).bit_length()
