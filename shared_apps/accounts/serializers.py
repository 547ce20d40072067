"""Requests and responses: sign-in, the caller, users and the audit log."""

from typing import Any

from rest_framework import serializers

from shared_apps.accounts.models import AuditEntry, Role, User
from tatami.api.fields import ArchivedField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer


class ReferenceSerializer(serializers.Serializer[Any]):
    """Another resource, by its id and its display name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class Password(serializers.CharField):
    """A password exactly as typed. Its length is limited, because hashing a long text is slow."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=256, trim_whitespace=False, write_only=True, **kwargs)


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


class TokensSerializer(serializers.Serializer[Any]):
    """The tokens of a session. Both lifetimes are in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField()
    refresh_expires_in = serializers.IntegerField()


class SignedInUserSerializer(StrictModelSerializer):
    class Meta:
        model = User
        fields = ("id", "email", "name", "role")


class SignInSerializer(TokensSerializer):
    """The tokens, and the user who signed in."""

    user = SignedInUserSerializer()


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
    """The caller, and the students they are linked with. `tenant` is null on the platform."""

    # `views.me_response` makes the response, because every client sends this request often.
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    tenant = MeTenantSerializer(allow_null=True)
    students = ReferenceSerializer(many=True)
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
        return {**super().get_fields(), "fields": serializers.JSONField(read_only=True)}
