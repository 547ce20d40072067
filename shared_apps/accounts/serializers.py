"""Requests and responses: sign-in, the caller, users and the audit log."""

from typing import Any

from django.utils.translation import gettext, gettext_lazy
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.api_keys import normalised_network
from shared_apps.accounts.models import STAFF_ROLES, ApiKey, AuditEntry, Role, SecondFactor, Session, User
from tatami.api.fields import ArchivedField, SingleLineField
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer


class Password(serializers.CharField):
    """A password exactly as typed. Its length is limited, because hashing a long text is slow."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=256, trim_whitespace=False, write_only=True, **kwargs)


class NoFieldsSerializer(StrictSerializer):
    """An empty body."""


class LoginSerializer(StrictSerializer):
    email = SingleLineField(max_length=254)
    password = Password()


class RefreshSerializer(StrictSerializer):
    refresh = serializers.CharField(max_length=4096)


class PasswordSerializer(StrictSerializer):
    current_password = Password()
    new_password = Password()


class ResetSerializer(StrictSerializer):
    email = SingleLineField(max_length=254)


class ResetConfirmSerializer(StrictSerializer):
    token = SingleLineField(max_length=100)
    new_password = Password()


class PublicUserSerializer(StrictModelSerializer):
    """The fields of a user that other staff may see."""

    class Meta:
        model = User
        fields = ("id", "name", "role")


class UserSerializer(StrictModelSerializer):
    """A user, as admins see and change them."""

    email = serializers.EmailField(max_length=254)
    name = SingleLineField(max_length=200, required=False, allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    password = Password(required=False)
    archived = ArchivedField()

    class Meta:
        model = User
        fields = ("email", "name", "role", "is_active", "password", "archived")


class NetworkField(SingleLineField):
    """A network address, or a network such as `203.0.113.0/24`."""

    default_error_messages = {
        "network": gettext_lazy("This is not a network address, such as 203.0.113.7 or 203.0.113.0/24.")
    }

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalised_network(super().to_internal_value(data))
        except ValueError:
            self.fail("network")


class ApiKeySerializer(StrictModelSerializer):
    """An API key without the key itself. `revoked_at` is null while the key is valid or until it expires."""

    name = SingleLineField(max_length=200)
    role = serializers.ChoiceField(choices=[role.value for role in STAFF_ROLES], source="user.role")
    allowed_addresses = serializers.ListField(
        child=NetworkField(max_length=49), required=False, max_length=50
    )

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "name",
            "role",
            "read_only",
            "expires_on",
            "allowed_addresses",
            "prefix",
            "last_used_at",
            "last_used_address",
            "revoked_at",
        )
        read_only_fields = ("prefix", "last_used_at", "last_used_address", "revoked_at")


class NewApiKeySerializer(ApiKeySerializer):
    """An API key that was just created. `key` is shown this once."""

    key = serializers.CharField(read_only=True)

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")


class TokensSerializer(serializers.Serializer[Any]):
    """The tokens of a session. Both lifetimes are in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField()
    refresh_expires_in = serializers.IntegerField()


class SignedInUserSerializer(StrictModelSerializer):
    """The user who signed in."""

    class Meta:
        model = User
        fields = ("id", "email", "name", "role")


class SignInSerializer(TokensSerializer):
    """The tokens, and the user who signed in."""

    user = SignedInUserSerializer()


class PasskeyField(serializers.DictField):
    """What the browser returned: the JSON of a PublicKeyCredential (`toJSON()`), as it is."""


class PasskeyOptionsField(serializers.DictField):
    """What the browser needs: see `PublicKeyCredential.parseRequestOptionsFromJSON` and `…CreationOptions…`."""


class NewFactorByChallengeSerializer(StrictSerializer):
    """The challenge of the first step, and what is set up."""

    challenge = SingleLineField(max_length=500)
    kind = serializers.ChoiceField(choices=SecondFactor.Kind.values, required=False)


class ProofSerializer(StrictSerializer):
    """A code of an authenticator app (six digits), or what a passkey has made or signed."""

    code = SingleLineField(max_length=40, required=False)
    passkey = PasskeyField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("code" in attrs) == ("passkey" in attrs):
            raise serializers.ValidationError({"code": gettext("Send either `code` or `passkey`.")})
        return attrs


class SecondStepSerializer(ProofSerializer):
    """The challenge of the first step, and a code, a recovery code or what a passkey has signed."""

    challenge = SingleLineField(max_length=500)


class PasskeySignInSerializer(StrictSerializer):
    """The challenge, and what a passkey has signed."""

    challenge = SingleLineField(max_length=500)
    passkey = PasskeyField()


class PasskeyRequestSerializer(serializers.Serializer[Any]):
    """A challenge for a sign-in with a passkey, valid for `expires_in` seconds, and the options for the browser."""

    challenge = serializers.CharField()
    options = PasskeyOptionsField()
    expires_in = serializers.IntegerField()


class SecondSignInSerializer(SignInSerializer):
    """The tokens, and the user who signed in. `recovery_codes` is filled once: when this sign-in set up the factor."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


@extend_schema_serializer(
    component_name="NewRecoveryCodes"
)  # not as its property: a generated class would clash
class RecoveryCodesSerializer(serializers.Serializer[Any]):
    """Recovery codes, shown this once. Empty if the user has some already."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class OwnPasswordSerializer(StrictSerializer):
    password = Password()


class NewSecondFactorSerializer(OwnPasswordSerializer):
    """The user's own password, and a name by which they recognise the device."""

    kind = serializers.ChoiceField(choices=SecondFactor.Kind.values, required=False)
    name = SingleLineField(max_length=100, required=False, allow_blank=True)


class SecondFactorSerializer(StrictModelSerializer):
    """A second factor. It counts when `confirmed_at` is set. `host` is where a passkey works; null for an app."""

    kind = serializers.ChoiceField(choices=SecondFactor.Kind.values)
    host = serializers.SerializerMethodField()

    class Meta:
        model = SecondFactor
        fields = ("kind", "name", "host", "confirmed_at", "last_used_at")
        read_only_fields = fields

    def get_host(self, factor: SecondFactor) -> str | None:
        return factor.passkey.host if factor.kind == SecondFactor.Kind.PASSKEY else None


class AuthenticatorSerializer(serializers.Serializer[Any]):
    """A new second factor, shown once.

    For an authenticator app: the secret as text, as a URI, and as a QR symbol (SVG, data URI). For a passkey these are
    empty, and `options` are for `navigator.credentials.create`.
    """

    id = serializers.UUIDField(source="factor.pk")
    kind = serializers.ChoiceField(choices=SecondFactor.Kind.values, source="factor.kind")
    secret = serializers.CharField(allow_blank=True)
    uri = serializers.CharField(allow_blank=True)
    image = serializers.CharField(allow_blank=True)
    options = PasskeyOptionsField(allow_null=True)


class SignInPolicySerializer(StrictSerializer):
    """Roles that need a second factor."""

    second_factor_roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.choices), max_length=4
    )

    def validate_second_factor_roles(self, value: list[str]) -> list[str]:
        return sorted(set(value))


class OwnSessionSerializer(StrictModelSerializer):
    """A session of one's own: a browser or another program in which the user is signed in.

    `user_agent` and `address` are those of the sign-in, and empty if they are unknown. `last_used_at` is accurate to
    five minutes. `is_impersonation`: a superadmin acts as the user.
    """

    last_used_at = serializers.DateTimeField(source="rotated_at", read_only=True)
    is_current = serializers.SerializerMethodField()
    is_impersonation = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = ("user_agent", "address", "last_used_at", "expires_at", "is_current", "is_impersonation")
        read_only_fields = fields

    def get_is_current(self, session: Session) -> bool:
        return bool(session.pk == self.context["request"].auth.session_id)

    def get_is_impersonation(self, session: Session) -> bool:
        return session.impersonator is not None


class MeTenantSerializer(StrictSerializer):
    id = serializers.UUIDField(source="tenant_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    timezone = serializers.CharField()


class MeSerializer(StrictModelSerializer):
    """The body of `PATCH /me`. Only the name can be changed."""

    tenant = serializers.JSONField(read_only=True)
    students = serializers.JSONField(read_only=True)

    class Meta:
        model = User
        fields = ("id", "email", "name", "role", "tenant", "students")
        read_only_fields = ("email", "role")


class MeAnswerSerializer(serializers.Serializer[Any]):
    """The caller, and the students they are linked with. `tenant` is null on the platform.

    A device has the role `device`, null as its address and, as only a device, a `location`. The address of an API key
    is empty.
    """

    # `views.me_response` makes the response, because every client sends this request often.
    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True, allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=[*Role.values, "device"])
    tenant = MeTenantSerializer(allow_null=True)
    students = ReferenceSerializer(many=True)
    location = serializers.CharField(required=False, allow_blank=True)
    impersonated_by = ReferenceSerializer(required=False)
    """The superadmin who acts as this user. Absent if no one does."""


class AuditEntrySerializer(StrictModelSerializer):
    """One write. `action` is the route and the method; `fields` are names, never values."""

    actor = ReferenceSerializer(source="actor_reference")
    impersonated_by = ReferenceSerializer(source="impersonator_reference", allow_null=True)

    class Meta:
        model = AuditEntry
        fields = (
            "id",
            "tenant_id",
            "created_at",
            "actor",
            "impersonated_by",
            "action",
            "object",
            "fields",
            "reason",
            "address",
            "request_id",
        )

    def get_fields(self) -> dict[str, Any]:
        # Declared here, because `fields` as a class attribute would hide DRF's property of that name.
        return {
            **super().get_fields(),
            "fields": serializers.ListField(child=serializers.CharField(), read_only=True),
        }
