"""Requests and responses of the platform host: tenants, domains, exports, usage and impersonation."""

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.serializers import Password
from shared_apps.tenants.domain_dns import normalised_domain, proof_record
from shared_apps.tenants.exports.files import archive_path
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Domain, Tenant, TenantExport
from tatami.api.fields import SingleLineField, validate_timezone
from tatami.api.responses import location
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.errors import Invalid


def validate_slug(value: str) -> None:
    """Raise DRF's `ValidationError` if `value` cannot be the slug of a dojo."""
    if not SLUG.fullmatch(value) or value.startswith("xn--"):
        raise serializers.ValidationError(
            "A slug has 2 to 40 characters of a-z, 0-9 and -. It begins and ends with a letter or digit, "
            "and does not begin with xn--."
        )
    if value in RESERVED_SLUGS:
        raise serializers.ValidationError("This slug is reserved.")


class FirstAdminSerializer(StrictSerializer):
    """The first admin of a new dojo. Without a password, the admin is mailed a link to set one."""

    email = serializers.EmailField(max_length=254)
    name = SingleLineField(max_length=200, required=False, allow_blank=True)
    password = Password(required=False)


class NewTenantSerializer(StrictSerializer):
    """A dojo to create, empty or from an archive."""

    name = SingleLineField(max_length=200)
    slug = SingleLineField(max_length=40, validators=[validate_slug])
    timezone = SingleLineField(
        max_length=64,
        required=False,
        validators=[validate_timezone],
        help_text="Default: UTC, or the time zone of the archive.",
    )
    admin = FirstAdminSerializer(required=False, help_text="Optional only with `archive`.")
    archive = serializers.UUIDField(
        required=False,
        help_text="A finished export: the new dojo gets everything that the exported dojo had.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "archive" not in attrs and "admin" not in attrs:
            raise serializers.ValidationError({"admin": ["This field is required."]})
        return attrs


class RestoredTenantSerializer(NewTenantSerializer):
    """A dojo to create from an archive file. The name defaults to that of the archive."""

    name = SingleLineField(max_length=200, required=False)
    archive = None  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs


class ChangedTenantSerializer(StrictSerializer):
    """Changes of a dojo. `status` suspends and resumes it. After a change of the slug, old links work for some time."""

    name = SingleLineField(max_length=200, required=False)
    slug = SingleLineField(max_length=40, required=False, validators=[validate_slug])
    timezone = SingleLineField(max_length=64, required=False, validators=[validate_timezone])
    status = serializers.ChoiceField(choices=["active", "suspended"], required=False)


class DomainSerializer(StrictSerializer):
    """A domain in the list of a dojo's domains."""

    domain = serializers.CharField()
    is_primary = serializers.BooleanField()
    verified = serializers.SerializerMethodField()

    def get_verified(self, domain: Any) -> bool:
        return domain.verified_at is not None


class TenantSerializer(StrictModelSerializer):
    """A dojo, as superadmins see it."""

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


@extend_schema_serializer(component_name="AdminOfTenant")
class FirstAdminResponseSerializer(serializers.Serializer[Any]):
    """The first admin of a new dojo."""

    id = serializers.UUIDField()
    email = serializers.EmailField()


@extend_schema_serializer(component_name="MadeTenant")
class CreatedTenantSerializer(TenantSerializer):
    """A dojo that was just created, with its first admin: null if an archive contains none."""

    # The view sets `admin` on the tenant.
    admin = FirstAdminResponseSerializer(allow_null=True)

    class Meta(TenantSerializer.Meta):
        fields = (*TenantSerializer.Meta.fields, "admin")  # type: ignore[assignment]


class ProgressSerializer(serializers.Serializer[Any]):
    """Work that was queued. Its progress is at `url`."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=["queued", "running", "paused", "done", "failed", "cancelled", "reverted"]
    )
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    url = serializers.URLField()


class PurgeSerializer(StrictSerializer):
    """The confirmation of a purge: the dojo's slug."""

    confirm = SingleLineField(max_length=40)


@extend_schema_serializer(component_name="Claim")
class NewDomainSerializer(StrictSerializer):
    """A domain to claim."""

    domain = SingleLineField(max_length=500)

    def validate_domain(self, value: str) -> str:
        try:
            return normalised_domain(value)
        except Invalid as fault:
            raise serializers.ValidationError((fault.details or {})["domain"]) from None


class ChangedDomainSerializer(StrictSerializer):
    """Makes a domain the primary one."""

    is_primary = serializers.BooleanField()

    def validate_is_primary(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError(
                gettext("Only true is accepted. Make another domain the primary one.")
            )
        return value


class ProofRecordSerializer(StrictSerializer):
    """The DNS record that proves a domain."""

    name = serializers.CharField()
    type = serializers.CharField()
    value = serializers.CharField()


class OwnDomainSerializer(DomainSerializer):
    """A domain of a dojo, with the DNS record that verifies it: null if it is verified."""

    verified_at = serializers.DateTimeField(allow_null=True, read_only=True)
    served_until = serializers.DateTimeField(
        allow_null=True, read_only=True, help_text="For a former subdomain: until when it leads to the dojo."
    )
    record = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(ProofRecordSerializer(allow_null=True))
    def get_record(self, domain: Domain) -> dict[str, Any] | None:
        if domain.verified_at is not None:
            return None
        return asdict(proof_record(domain.tenant_id, domain.domain))


class OwnExportSerializer(StrictModelSerializer):
    """An export that the dojo requested, with its progress in rows. `error` says why it failed; empty otherwise."""

    status = serializers.ChoiceField(choices=TenantExport.Status.choices, read_only=True)
    bytes = serializers.IntegerField(allow_null=True, read_only=True)
    sha256 = serializers.CharField(
        help_text="The SHA-256 of the file; empty until it is done.", read_only=True
    )
    error = serializers.CharField(read_only=True)

    class Meta:
        model = TenantExport
        fields = (
            "id",
            "status",
            "total",
            "done",
            "bytes",
            "sha256",
            "error",
            "created_at",
            "finished_at",
            "expires_at",
        )
        read_only_fields = fields


class TlsDomainSerializer(StrictSerializer):
    """A domain for which the proxy may obtain a certificate."""

    domain = serializers.CharField()


class ExportSerializer(OwnExportSerializer):
    """An export with its progress in rows and, when it is done, the link to its archive."""

    url = serializers.SerializerMethodField()
    download_url = serializers.SerializerMethodField(
        help_text="Valid for 15 minutes, without a login; null until the export is done."
    )

    class Meta:
        model = TenantExport
        fields = (*OwnExportSerializer.Meta.fields, "url", "download_url")
        read_only_fields = fields

    def get_url(self, export: TenantExport) -> str:
        return self._absolute(location("tenant-export", id=export.tenant_id, export_id=export.pk))

    def get_download_url(self, export: TenantExport) -> str | None:
        path = archive_path(export, now=self.context["request"].now)
        return None if path is None else self._absolute(path)

    def _absolute(self, path: str) -> str:
        return str(self.context["request"].build_absolute_uri(path))


class StudentsUsageSerializer(StrictSerializer):
    """The number of students. `all` includes archived students."""

    active = serializers.IntegerField(source="students_active", allow_null=True)
    all = serializers.IntegerField(source="students_all", allow_null=True)


class AttendancesUsageSerializer(StrictSerializer):
    """The number of attendances, without voided ones."""

    last_30_days = serializers.IntegerField(source="attendances_30_days", allow_null=True)
    all = serializers.IntegerField(source="attendances_all", allow_null=True)


class UsageSerializer(StrictSerializer):
    """What a dojo used at the last nightly count. `collected_at` is null before the first count."""

    students = StudentsUsageSerializer(source="*")
    attendances = AttendancesUsageSerializer(source="*")
    last_attendance_at = serializers.DateTimeField(allow_null=True)
    users = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True, help_text="Size of tables and indexes in the database.")
    file_bytes = serializers.IntegerField(allow_null=True, help_text="Size of stored exports.")
    collected_at = serializers.DateTimeField(allow_null=True)


class NewImpersonationSerializer(StrictSerializer):
    """The reason, and the id of a user of the dojo. Default: its first active admin."""

    reason = SingleLineField(max_length=500)
    user = serializers.UUIDField(required=False)


class ImpersonationSerializer(StrictSerializer):
    """An access token that is valid at `url` for `expires_in` seconds."""

    access = serializers.CharField()
    expires_in = serializers.IntegerField()
    url = serializers.URLField()
