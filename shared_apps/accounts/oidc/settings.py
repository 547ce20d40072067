"""The identity provider of a dojo: stored with its client secret encrypted, changed by admins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import IdentityProvider, LinkedIdentity
from shared_apps.accounts.oidc.errors import IdentityProviderNotConfigured
from tatami.encryption import decrypt, encrypt, reencrypt
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant_id

CALLBACK_PATH: Final = "/auth/oidc/callback"
_PURPOSE: Final = "identity provider"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What an admin sets. `client_secret`: None keeps the present one of the same issuer; empty is a public client."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    email_domains: tuple[str, ...] = ()
    is_enabled: bool = True


def saved_provider() -> IdentityProvider:
    """Return the provider of the dojo. Raises `IdentityProviderNotConfigured`. One statement."""
    found = IdentityProvider.objects.first()
    if found is None:
        raise IdentityProviderNotConfigured
    return found


def enabled_provider() -> IdentityProvider:
    """Return the provider with which users may sign in now. Raises `IdentityProviderNotConfigured`. One statement."""
    found = saved_provider()
    if not found.is_enabled:
        raise IdentityProviderNotConfigured
    return found


@transaction.atomic
def save_provider(wanted: ProviderSettings, *, now: datetime) -> IdentityProvider:
    """Set the provider of the dojo. Another issuer never gets the secret that was stored for the present one."""
    present = IdentityProvider.objects.select_for_update().first()
    stored = present.client_secret if present and present.issuer == wanted.issuer else ""
    if wanted.client_secret is not None:
        stored = encrypt(wanted.client_secret, purpose=_PURPOSE) if wanted.client_secret else ""
    values = {
        "issuer": wanted.issuer,
        "client_id": wanted.client_id,
        "client_secret": stored,
        "email_domains": sorted(set(wanted.email_domains)),
        "is_enabled": wanted.is_enabled,
        "updated_at": now,
    }
    return IdentityProvider.objects.update_or_create(pk=current_tenant_id(), defaults=values)[0]


@transaction.atomic
def delete_provider() -> None:
    """Delete the provider and the links of users to it. Raises `IdentityProviderNotConfigured`."""
    if not IdentityProvider.objects.all().delete()[0]:
        raise IdentityProviderNotConfigured
    LinkedIdentity.objects.all().delete()


def client_secret(provider: IdentityProvider) -> str:
    """Return the client secret; empty for a public client."""
    return decrypt(provider.client_secret, purpose=_PURPOSE) if provider.client_secret else ""


def callback_url(host: str | None = None) -> str:
    """Return where the provider sends users back: at a requested host, else at the primary domain of the dojo."""
    return origin(host) + CALLBACK_PATH


def unlink(user_id: UUID) -> None:
    """Forget the accounts at providers with which a user has signed in: the next one with their address is linked."""
    LinkedIdentity.objects.filter(user=user_id).delete()


def reencrypt_client_secret() -> None:
    """Encrypt the client secret with the present JWT_SECRET if it was encrypted with the previous one."""
    reencrypt(IdentityProvider.objects.all(), "client_secret", purpose=_PURPOSE)
