"""The shape of dojos on the platform host."""

from typing import Any

from rest_framework import serializers

from shared_apps.accounts.serializers import Password
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from tatami.api.fields import SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.timezones import known_timezone


class FirstAdminSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    name = SingleLineField(max_length=200, required=False, allow_blank=True)
    password = Password(required=False)


class NewTenantSerializer(StrictSerializer):
    name = SingleLineField(max_length=200)
    slug = SingleLineField(max_length=40)
    timezone = SingleLineField(
        max_length=64,
        required=False,
        validators=[known_timezone],
        help_text="Left out: UTC, or that of the archive.",
    )
    admin = FirstAdminSerializer(required=False, help_text="Only with `archive` it may be left out.")
    archive = serializers.UUIDField(
        required=False, help_text="An export that is done: the new dojo is what that dojo was."
    )

    def validate_slug(self, value: str) -> str:
        if not SLUG.fullmatch(value) or value.startswith("xn--"):
            raise serializers.ValidationError(
                "A slug has 2 to 40 of a-z, 0-9 and -, begins and ends with a letter or digit, and not with xn--."
            )
        if value in RESERVED_SLUGS:
            raise serializers.ValidationError("This slug is reserved.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "archive" not in attrs and "admin" not in attrs:
            raise serializers.ValidationError({"admin": ["This field is required."]})
        return attrs


class RestoredTenantSerializer(NewTenantSerializer):
    """What is said of a dojo that is made of an archive at hand."""

    name = SingleLineField(max_length=200, required=False)
    archive = None  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs


class ChangedTenantSerializer(StrictSerializer):
    name = SingleLineField(max_length=200, required=False)
    timezone = SingleLineField(max_length=64, required=False, validators=[known_timezone])
    status = serializers.ChoiceField(choices=["active", "suspended"], required=False)


class DomainSerializer(StrictSerializer):
    domain = serializers.CharField()
    is_primary = serializers.BooleanField()
    verified = serializers.SerializerMethodField()

    def get_verified(self, domain: Any) -> bool:
        return domain.verified_at is not None


class TenantSerializer(StrictModelSerializer):
    """A dojo as superadmins see it."""

    domains = DomainSerializer(many=True, read_only=True)

    class Meta:
        model = Tenant
        fields = (
            "id",
            "name",
            "slug",
            "schema_name",
            "status",
            "domains",
            "timezone",
            "created_at",
            "updated_at",
        )


class PurgeSerializer(StrictSerializer):
    confirm = SingleLineField(max_length=40)
