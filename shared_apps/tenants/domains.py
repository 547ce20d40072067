"""A tenant's own domains: claim one, verify it in the DNS, make it the primary one, remove it.

A claim excludes no other tenant: several can claim a name. The first that verifies it has it until it is removed, and
from then on the domain is served.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from shared_apps.tenants import domain_dns
from shared_apps.tenants.domain_dns import is_proof, proof_record
from shared_apps.tenants.errors import DnsFailure, DomainNotVerified, DomainTaken, SlugTaken, WrongState
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami.errors import NotFound

CHANGEABLE_STATUSES = (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED)


@transaction.atomic
def claim_domain(*, tenant: Tenant, domain: str) -> Domain:
    """Claim a domain for a tenant (in the form of `normalised_domain`). It is served as soon as it is verified.

    Raises `DomainTaken` if another tenant has verified it or this one has claimed it, and `WrongState`.
    """
    _lock_tenant(tenant)
    _refuse_verified(domain)
    if Domain.objects.filter(tenant=tenant, domain=domain).exists():
        raise DomainTaken(gettext("This dojo has already claimed this domain."))
    claimed = Domain.objects.create(tenant=tenant, domain=domain, is_primary=False)
    RoutingEpoch.advance()
    return claimed


def verify_domain(*, domain: Domain, now: datetime) -> Domain:
    """Look up the proof in the DNS, and serve the domain if it is there. A second call changes nothing.

    Call it outside a transaction: a name server may take seconds. Raises `DomainNotVerified` with the record that is
    required and the records that were found, `DnsUnavailable`, `DomainTaken`, and `WrongState`.
    """
    if domain.verified_at is not None:
        return domain
    _refuse_verified(domain.domain)
    _require_proof(domain)
    return _mark_verified(domain, now)


@transaction.atomic
def make_primary(*, domain: Domain) -> Domain:
    """Use this domain in the tenant's links, mails and documents. Raises `WrongState` if it is not verified."""
    _lock_tenant(domain.tenant)
    domain = _reloaded(domain)
    if domain.verified_at is None:
        raise WrongState(gettext("Verify this domain before you make it the primary one."))
    if domain.served_until is not None:
        raise WrongState(gettext("This is a former subdomain of the dojo: change the slug instead."))
    Domain.objects.filter(tenant=domain.tenant_id, is_primary=True).update(is_primary=False)
    domain.is_primary = True
    domain.save(update_fields=["is_primary"])
    RoutingEpoch.advance()
    return domain


@transaction.atomic
def remove_domain(*, domain: Domain) -> None:
    """Stop serving a domain and delete the claim. If it was the primary one, the tenant's subdomain becomes primary.

    Raises `WrongState` if it is the subdomain itself.
    """
    _lock_tenant(domain.tenant)
    subdomain = own_subdomain(domain.tenant)
    if domain.pk == subdomain.pk:
        raise WrongState(gettext("A dojo's subdomain of the platform's domain cannot be removed."))
    Domain.objects.filter(pk=domain.pk).delete()
    if not Domain.objects.filter(tenant=domain.tenant_id, is_primary=True).exists():
        Domain.objects.filter(pk=subdomain.pk).update(is_primary=True)
    RoutingEpoch.advance()


def change_slug(*, tenant: Tenant, slug: str, now: datetime) -> None:
    """Give a tenant another subdomain. The former one leads to the tenant for `TATAMI_OLD_SLUG_DAYS`.

    Call it in a transaction, with the tenant locked. A tenant can have a former slug again. Raises `SlugTaken` if
    another tenant has the slug, or had it until recently; `WrongState` unless the tenant is active or suspended.
    """
    _lock_tenant(tenant)
    former = own_subdomain(tenant)
    tenant.slug = slug
    try:
        with transaction.atomic():
            tenant.save()
            Domain.delete_expired(now, Domain.objects.filter(domain=tenant.subdomain))
            own, _ = Domain.objects.update_or_create(
                tenant=tenant,
                domain=tenant.subdomain,
                defaults={"verified_at": now, "served_until": None},
                create_defaults={"verified_at": now, "is_primary": False},
            )
    except IntegrityError as violation:
        if "tenant_slug_once" in str(violation) or "domain_once" in str(violation):
            raise SlugTaken from None
        raise
    was_primary = former.is_primary
    former.is_primary = False
    former.served_until = now + timedelta(days=settings.TATAMI_OLD_SLUG_DAYS)
    former.save(update_fields=["is_primary", "served_until"])
    if was_primary:
        own.is_primary = True
        own.save(update_fields=["is_primary"])
    RoutingEpoch.advance()


def own_subdomain(tenant: Tenant) -> Domain:
    """Return the domain that was created with the tenant, and that no other tenant can claim."""
    return Domain.objects.get(tenant=tenant, domain=tenant.subdomain)


def _lock_tenant(tenant: Tenant) -> None:
    """Lock the tenant's row, so that changes of its domains run one after the other.

    Raises `WrongState` unless the tenant is active or suspended, and `NotFound` if it was purged.
    """
    status = Tenant.objects.select_for_update().filter(pk=tenant.pk).values_list("status", flat=True).first()
    if status is None:
        raise NotFound
    if status not in CHANGEABLE_STATUSES:
        raise WrongState(f"The domains of a dojo that is {status} cannot be changed.")


def _reloaded(domain: Domain) -> Domain:
    """Return the row as it is after the lock was taken. Raises `NotFound` if it was removed in the meantime."""
    present = Domain.objects.filter(pk=domain.pk).first()
    if present is None:
        raise NotFound
    return present


def _refuse_verified(domain: str) -> None:
    if Domain.objects.filter(domain=domain, verified_at__isnull=False).exists():
        raise DomainTaken


def _require_proof(domain: Domain) -> None:
    record = proof_record(domain.tenant_id, domain.domain)
    required = {"record": {"name": record.name, "type": record.type, "value": record.value}}
    try:
        found = domain_dns.text_records(record.name)
    except DnsFailure as fault:
        raise DomainNotVerified(fault.message, details={**required, "found": []}) from None
    if not is_proof(found, domain.tenant_id, domain.domain):
        if found:
            message = gettext("The record has another value.")
        else:
            message = gettext("There is no such record in the DNS yet.")
        raise DomainNotVerified(message, details={**required, "found": list(found)})


def _mark_verified(domain: Domain, now: datetime) -> Domain:
    try:
        with transaction.atomic():
            _lock_tenant(domain.tenant)
            domain = _reloaded(domain)
            domain.verified_at = domain.verified_at or now
            domain.save(update_fields=["verified_at"])
            RoutingEpoch.advance()
    except IntegrityError as violation:
        if "domain_once" in str(violation):
            raise DomainTaken from None
        raise
    return domain
