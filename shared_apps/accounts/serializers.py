"""The shape of sign-in and of users."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from shared_apps.accounts.models import AuditEntry, Role, User
from tatami.api.fields import ArchivedField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.tenancy.scope import TenantScope, required_scope


class Password(serializers.CharField):
    """A password as typed: not trimmed, not normalised; bounded, because hashing a novel takes its time."""

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
    """What colleagues may see of a user."""

    class Meta:
        model = User
        fields = ("id", "name", "role")


class UserSerializer(StrictModelSerializer):
    """A user, as admins see and change it."""

    email = serializers.EmailField(max_length=254)
    name = SingleLineField(max_length=200, required=False, allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices)
    password = Password(required=False)
    archived = ArchivedField()

    class Meta:
        model = User
        fields = ("email", "name", "role", "is_active", "password", "archived")


class TokensSerializer(StrictSerializer):
    """What a sign-in or a renewal answers."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.ReadOnlyField(default="Bearer")
    expires_in = serializers.IntegerField()
    refresh_expires_in = serializers.IntegerField()


class SignedInUserSerializer(StrictModelSerializer):
    class Meta:
        model = User
        fields = ("id", "email", "name", "role")


class SignInSerializer(TokensSerializer):
    user = SignedInUserSerializer()


class MeTenantSerializer(StrictSerializer):
    id = serializers.UUIDField(source="tenant_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    timezone = serializers.CharField()


class MeSerializer(StrictModelSerializer):
    """The caller, as `/me` shows and (the name) changes him."""

    tenant = serializers.SerializerMethodField()
    students = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ("id", "email", "name", "role", "tenant", "students")
        read_only_fields = ("email", "role")

    def get_tenant(self, user: User) -> dict[str, Any] | None:
        scope = required_scope()
        return dict(MeTenantSerializer(scope).data) if isinstance(scope, TenantScope) else None

    def get_students(self, user: User) -> list[dict[str, Any]]:
        """Return nobody: on the platform there are no students. A dojo's `/me` says more."""
        return []

    def to_representation(self, user: User) -> dict[str, Any]:
        """Say, too, which superadmin acts as this user, if one does."""
        impersonator = user.impersonator
        shown = {"impersonated_by": named(impersonator.pk, str(impersonator))} if impersonator else {}
        return {**super().to_representation(user), **shown}


class DeviceMeSerializer(StrictSerializer):
    """A device as the caller: it has no address and speaks for nobody. `location` is where it stands."""

    id = serializers.UUIDField()
    email = serializers.SerializerMethodField()
    name = serializers.CharField()
    role = serializers.CharField()
    tenant = serializers.SerializerMethodField()
    students = serializers.SerializerMethodField()
    location = serializers.CharField()

    def get_email(self, device: Any) -> None:
        return None

    def get_tenant(self, device: Any) -> dict[str, Any]:
        return dict(MeTenantSerializer(required_scope()).data)

    def get_students(self, device: Any) -> list[dict[str, Any]]:
        return []


class AuditSerializer(StrictModelSerializer):
    """One deed. `action` is the route and the method; `fields` are names, never values."""

    actor = serializers.SerializerMethodField()
    impersonated_by = serializers.SerializerMethodField()

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
        # `fields` is also what DRF calls its own.
        return {**super().get_fields(), "fields": serializers.JSONField(read_only=True)}

    def get_actor(self, entry: AuditEntry) -> dict[str, Any]:
        return named(entry.actor, entry.actor_called)

    def get_impersonated_by(self, entry: AuditEntry) -> dict[str, Any] | None:
        """Return the superadmin who did it as the actor."""
        return named(entry.impersonator, entry.impersonator_name) if entry.impersonator else None


def named(id_: UUID, name: str) -> dict[str, Any]:
    """Return somebody as answers refer to him."""
    return {"id": id_, "name": name}
