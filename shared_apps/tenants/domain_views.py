"""A dojo's domains, for superadmins, on the platform host."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.response import Response

from shared_apps.tenants import domains
from shared_apps.tenants.domain_names import ascii_domain
from shared_apps.tenants.domain_serializers import (
    ChangedDomainSerializer,
    ClaimSerializer,
    OwnDomainSerializer,
)
from shared_apps.tenants.models import Domain, Tenant
from tatami.api.request import ApiRequest
from tatami.api.responses import created
from tatami.api.views import ApiView, Listing, get_or_404
from tatami.errors import Invalid, NotFound


class DomainCollection(Listing):
    """The domains of a dojo; claiming one."""

    serializer_class = OwnDomainSerializer
    queryset = Domain.objects.all()
    ordering = ("-is_primary", "domain")

    def get_queryset(self) -> QuerySet[Domain]:
        if getattr(self, "swagger_fake_view", False):
            return Domain.objects.none()
        return Domain.objects.filter(tenant=_tenant(self.kwargs["id"]))

    def post(self, request: ApiRequest, id: UUID) -> Response:
        serializer = ClaimSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        claimed = domains.claim_domain(tenant=_tenant(id), **serializer.validated_data)
        return created(OwnDomainSerializer(claimed).data, "tenant-domain", id=id, domain=claimed.domain)


class DomainResource(ApiView):
    """One domain: make it the primary one, remove it."""

    serializer_class = OwnDomainSerializer

    def get(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        return Response(OwnDomainSerializer(_domain(id, domain)).data)

    def patch(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        serializer = ChangedDomainSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed = domains.make_primary(domain=_domain(id, domain))
        return Response(OwnDomainSerializer(changed).data)

    def delete(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        domains.remove_domain(domain=_domain(id, domain))
        return Response(status=204)


class DomainVerification(ApiView):
    """Look the proof up: outside a transaction, because a name server may take seconds."""

    atomic = False
    serializer_class = OwnDomainSerializer

    def post(self, request: ApiRequest, id: UUID, domain: str) -> Response:
        verified = domains.verify_domain(domain=_domain(id, domain), now=request.now)
        return Response(OwnDomainSerializer(verified).data)


def _tenant(id_: Any) -> Tenant:
    return get_or_404(Tenant.objects.all(), pk=id_)


def _domain(id_: UUID, given: str) -> Domain:
    """Return a dojo's domain, however its name is written in the path. Raises `NotFound`."""
    try:
        name = ascii_domain(given)
    except Invalid:
        raise NotFound from None
    return get_or_404(Domain.objects.select_related("tenant"), tenant=_tenant(id_), domain=name)
