"""What proves who someone is: API keys, second factors, links and challenges; and the rules of signing in."""

from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from shared_apps.accounts.models.users import User
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant_id


class ApiKey(TenantModel):
    """A key with which a program calls the API, as a user of its own with a role. It stores a keyed hash of the key.

    The user never signs in: they are inactive, have no address and no usable password. They stay in history when the
    key is revoked.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="api_key")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16)
    """The beginning of the key, by which people recognise it."""
    key_hash = models.BinaryField(max_length=32)
    read_only = models.BooleanField(default=False)
    expires_on = models.DateField(null=True)
    """The last day on which the key is valid, in the dojo's time zone; UTC on the platform."""
    allowed_addresses = ArrayField(models.CharField(max_length=49), default=list)
    """Networks from which the key may be used, such as `203.0.113.0/24`. Empty: from everywhere."""
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="api_key_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SecondFactor(TenantModel):
    """An authenticator app or a passkey of a user. It counts when it is confirmed."""

    class Kind(models.TextChoices):
        TOTP = "totp"
        PASSKEY = "passkey"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="second_factors")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.TOTP, db_default=Kind.TOTP)
    name = models.CharField(max_length=100, blank=True)
    secret = models.TextField()
    """The shared secret of an authenticator app, encrypted (`tatami.encryption`). Blank for a passkey."""
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)
    """The time step of the last accepted code: no code of this step or an earlier one is accepted again."""
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")


class Passkey(TenantModel):
    """What is stored about a passkey beside its `SecondFactor`: no secret, only a public key."""

    factor = models.OneToOneField(SecondFactor, on_delete=models.CASCADE, related_name="passkey")
    host = models.CharField(max_length=253)
    """The host where it was set up. Browsers use it there only (the relying party of WebAuthn)."""
    challenge = models.BinaryField(max_length=32)
    """What the authenticator had to sign when it was set up."""
    credential_id = models.BinaryField(max_length=1023, null=True)
    """Null until it is confirmed."""
    public_key = models.BinaryField(null=True)
    """As a COSE key (RFC 9052). Null until it is confirmed."""
    sign_count = models.BigIntegerField(default=0)
    """The counter at the last use. Many passkeys have none, and always say 0."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "credential_id"], name="passkey_once")]


class RecoveryCode(TenantModel):
    """A code that replaces an authenticator once. It stores a hash."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    code_hash = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")]


class SignInPolicy(TenantModel):
    """What the dojo, or the platform, demands at sign-in. The id is that of the dojo: at most one row."""

    id = models.UUIDField(primary_key=True, default=current_tenant_id, editable=False)
    second_factor_roles = ArrayField(models.CharField(max_length=16), default=list)
    """The roles that need a second factor."""

    @classmethod
    def current(cls) -> "SignInPolicy":
        """Return the policy; if none is saved yet, the default as an unsaved row."""
        return cls.objects.first() or cls()


class PasswordLinkQuerySet(models.QuerySet["PasswordLink"]):
    """Password links of the tenant, or the platform, in scope."""

    def unused(self) -> Self:
        """Return the links that have not been used or invalidated; they may have expired."""
        return self.filter(used_at__isnull=True)


class PasswordLink(TenantModel):
    """A single-use link by which a user sets a password. It stores the hash of the secret."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    secret_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects: ClassVar[PasswordLinkQuerySet] = PasswordLinkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["secret_hash"], name="password_link_once")]


class PasswordMail(TenantModel):
    """A mail with a password link that waits to be sent; the link gets the same id.

    The user is looked up when the mail is sent, so the request does the same whether the address is known or not.
    """

    email_key = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_try_at", "id"], name="password_mail_due")]


class UsedChallenge(TenantModel):
    """A challenge that has been used, and is not accepted again. Its id is made of its hash.

    It is kept until it would have expired, so the table is small and needs no further index.
    """

    expires_at = models.DateTimeField()


class IdentityProvider(TenantModel):
    """The OpenID provider with which users of the dojo may sign in. The id is that of the dojo: at most one row."""

    id = models.UUIDField(primary_key=True, default=current_tenant_id, editable=False)
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    client_secret = models.TextField(blank=True)
    """Encrypted (`tatami.encryption`). Blank: a public client, which proves itself by PKCE alone."""
    email_domains = ArrayField(models.CharField(max_length=253), default=list)
    """The domains of accepted e-mail addresses, in lower case. Empty: all that the provider has verified."""
    is_enabled = models.BooleanField(default=True)


class LinkedIdentity(TenantModel):
    """The account at an identity provider with which a user signed in first. Another one is not accepted."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="linked_identities", db_index=False)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "issuer"], name="identity_once_per_user"),
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_subject_once"),
        ]


class AttemptCount(TenantModel):
    """The number of attempts in the current window of a rate limit. One row per hashed key."""

    key_hash = models.BinaryField(max_length=32)
    window_started_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="attempt_key_once")]
        indexes = [models.Index(fields=["window_started_at"], name="attempt_window")]
