"""Secrets that we must be able to read again, encrypted with a key of the installation, the purpose and the dojo.

A copy of the database alone reveals none of them. The stored text begins with the id of the secret it was encrypted
with, so that one statement finds what is still to be re-encrypted after JWT_SECRET was replaced.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.db.models import Model, QuerySet

from tatami.keys import tenant_keys, token_secrets
from tatami.tenancy.scope import current_tenant_id


def encrypt(text: str, *, purpose: str) -> str:
    """Return `text` encrypted for the current scope, with the present secret."""
    return _current_prefix() + _fernet(purpose).encrypt(text.encode()).decode()


def decrypt(stored: str, *, purpose: str) -> str:
    """Return what `encrypt` was given, in the same scope. The previous secret is accepted, too.

    Raises `ValueError` if the text was encrypted with neither, in another scope or for another purpose.
    """
    try:
        return _fernet(purpose).decrypt(stored.rpartition("$")[2].encode()).decode()
    except InvalidToken:
        raise ValueError("this text cannot be decrypted with the present secrets") from None


def reencrypt(rows: QuerySet[Model], column: str, *, purpose: str) -> None:
    """Encrypt with the present secret what the column still has encrypted with the previous one; blank texts stay.

    One statement, and one for each row that is outdated. A row that was changed in the meantime is left alone, so it
    may run twice or concurrently.
    """
    outdated = rows.exclude(**{column: ""}).exclude(**{f"{column}__startswith": _current_prefix()})
    for key, stored in outdated.values_list("pk", column):
        text = encrypt(decrypt(stored, purpose=purpose), purpose=purpose)
        rows.filter(pk=key, **{column: stored}).update(**{column: text})


def _current_prefix() -> str:
    """Return how a text begins that was encrypted with the present secret."""
    return next(iter(token_secrets())) + "$"


def _fernet(purpose: str) -> MultiFernet:
    keys = tenant_keys(f"encryption: {purpose}", current_tenant_id())
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
