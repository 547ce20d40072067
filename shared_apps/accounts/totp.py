"""Codes of authenticator apps (TOTP, RFC 6238), and recovery codes. Each of them works once.

The time step of the last accepted code is stored, and only a later one is accepted, by a conditional UPDATE, so of
concurrent requests with one code exactly one succeeds. Secrets are stored encrypted, because they must be read to
compare; recovery codes as hashes.
"""

import secrets
from datetime import datetime
from hmac import compare_digest
from typing import Final

import pyotp

from shared_apps.accounts.models import RecoveryCode, SecondFactor, User
from tatami.encryption import decrypt, encrypt, reencrypt
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, required_scope

STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""A clock may be half a minute wrong, in both directions."""
RECOVERY_CODES: Final = 10
_PURPOSE: Final = "second factor"
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without characters that are easily confused."""


def new_secret() -> tuple[str, str]:
    """Return a random secret for an authenticator app (Base32), and the same encrypted, to be stored."""
    secret = pyotp.random_base32()
    return secret, encrypted_secret(secret)


def encrypted_secret(secret: str) -> str:
    """Return a secret (Base32) as it is stored."""
    return encrypt(secret, purpose=_PURPOSE)


def provisioning_uri(user: User, secret: str) -> str:
    """Return the URI that an authenticator app reads (`otpauth://`), named after the dojo and the user."""
    scope = required_scope()
    issuer = scope.name if isinstance(scope, TenantScope) else "Tatami"
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer)


def use_code(factor: SecondFactor, code: str, *, now: datetime) -> bool:
    """Return whether this is a code of the authenticator that was not used; use it up."""
    totp = pyotp.TOTP(decrypt(factor.secret, purpose=_PURPOSE), interval=STEP_SECONDS)
    typed = "".join(code.split())
    present = int(now.timestamp()) // STEP_SECONDS
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if typed.isascii() and compare_digest(totp.generate_otp(step), typed):
            unused = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step)
            return bool(unused.update(last_step=step, last_used_at=now, updated_at=now))
    return False


def use_recovery_code(user: User, code: str, *, now: datetime) -> bool:
    """Return whether this is a recovery code of the user that was not used; use it up."""
    unused = RecoveryCode.objects.filter(user=user, used_at__isnull=True, code_hash=_recovery_hash(code))
    return bool(unused.update(used_at=now, updated_at=now))


def new_recovery_codes(user: User) -> list[str]:
    """Replace the recovery codes of a user; return the new ones. Call it in a transaction."""
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code_hash=_recovery_hash(code)) for code in codes
    )
    return [f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}" for code in codes]


def reencrypt_secrets() -> None:
    """Encrypt the secrets that were encrypted with the previous JWT_SECRET with the present one."""
    reencrypt(SecondFactor.objects.all(), "secret", purpose=_PURPOSE)


def _recovery_hash(code: str) -> bytes:
    return secret_hash("recovery\0" + "".join(letter for letter in code.lower() if letter.isalnum()))
