"""The shape of a dojo's domains on the platform host."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from shared_apps.tenants.domain_names import normalised_domain
from shared_apps.tenants.domain_records import proof_record
from shared_apps.tenants.models import Domain
from shared_apps.tenants.serializers import DomainSerializer
from tatami.api.fields import SingleLineField
from tatami.api.serializers import StrictSerializer
from tatami.errors import Invalid


class ClaimSerializer(StrictSerializer):
    domain = SingleLineField(max_length=500)

    def validate_domain(self, value: str) -> str:
        try:
            return normalised_domain(value)
        except Invalid as fault:
            raise serializers.ValidationError((fault.details or {})["domain"]) from None


class ChangedDomainSerializer(StrictSerializer):
    is_primary = serializers.BooleanField()

    def validate_is_primary(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Only true is accepted: make another domain the primary one.")
        return value


class ProofRecordSerializer(StrictSerializer):
    """The DNS record that proves a domain."""

    name = serializers.CharField()
    type = serializers.CharField()
    value = serializers.CharField()


class OwnDomainSerializer(DomainSerializer):
    """A domain of a dojo, and the DNS record that verifies it: null where there is nothing to prove (any more)."""

    verified_at = serializers.DateTimeField(allow_null=True, read_only=True)
    record = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(ProofRecordSerializer(allow_null=True))
    def get_record(self, domain: Domain) -> dict[str, Any] | None:
        if domain.verified_at is not None:
            return None
        return asdict(proof_record(domain.tenant_id, domain.domain))
