"""Keys derived from the installation's secrets, one per purpose and dojo. The previous secret stays valid, too."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.signing import Signer

MINIMUM_SECRET_BYTES: Final = 32
MOST_DERIVED: Final = 10_000
"""How many derived keys a process remembers."""


def key_id(secret: str) -> str:
    """Return a short public id of a secret, which reveals nothing about it."""
    return hashlib.sha256(b"tatami key id\0" + secret.encode()).hexdigest()[:12]


def token_secrets() -> Mapping[str, str]:
    """Return the secrets that sign (first) and verify (all) tokens, by key id."""
    return _by_key_id(tuple(settings.TATAMI_SECRETS))


@lru_cache(maxsize=4)
def _by_key_id(secrets: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType({key_id(secret): secret for secret in secrets})


def tenant_keys(purpose: str, tenant_id: UUID) -> Sequence[bytes]:
    """Return the dojo's 32-byte keys for `purpose`, derived with HMAC-SHA256; sign with the first."""
    return _derived(tuple(settings.TATAMI_SECRETS), purpose, tenant_id)


@lru_cache(maxsize=MOST_DERIVED)
def _derived(secrets: tuple[str, ...], purpose: str, tenant_id: UUID) -> tuple[bytes, ...]:
    info = purpose.encode() + b"\0" + tenant_id.bytes
    return tuple(hmac.digest(secret.encode(), info, hashlib.sha256) for secret in secrets)


def tenant_hashes(purpose: str, tenant_id: UUID, text: str) -> list[bytes]:
    """Return the HMAC-SHA256 of a text (32 bytes) with each of the dojo's keys for `purpose`; store the first.

    For what an attacker with a copy of the database must not be able to guess or to forge, such as a short code.
    """
    return [hmac.digest(key, text.encode(), hashlib.sha256) for key in tenant_keys(purpose, tenant_id)]


def tenant_signer(purpose: str, tenant_id: UUID) -> Signer:
    """Return Django's signer with the tenant's own key for `purpose`; it also accepts the previous secret's key.

    `unsign` and `unsign_object` raise `django.core.signing.BadSignature`. A link that expires carries its own deadline
    in the signed object, because Django's `TimestampSigner` reads the system clock.
    """
    key, *previous = tenant_keys(purpose, tenant_id)
    return Signer(key=key, salt=purpose, fallback_keys=[*previous])


def secret_hash(secret: str) -> bytes:
    """Return the SHA-256 of a long random secret (a token, a link); only the hash is stored. See `tenant_hashes`."""
    return hashlib.sha256(secret.encode()).digest()
