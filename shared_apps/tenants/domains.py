"""A dojo's own domains: claimed by anybody, had by whoever proves it in the DNS, and served from then on.

A claim keeps nobody out: several dojos may claim a name, and the first that verifies it has it until it is removed.
"""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from shared_apps.tenants.domain_records import proof_record, proves, text_records
from shared_apps.tenants.errors import DnsFailing, DomainNotVerified, DomainTaken, WrongState
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami.errors import NotFound

SERVED_OR_PAUSED = (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED)


@transaction.atomic
def claim_domain(*, tenant: Tenant, domain: str) -> Domain:
    """Note that a dojo wants a domain (`normalised_domain`). It is not served before it is verified.

    Raises `DomainTaken` if another has verified it or this one has claimed it, and `WrongState`.
    """
    _held(tenant)
    _refuse_taken(domain)
    if Domain.objects.filter(tenant=tenant, domain=domain).exists():
        raise DomainTaken("This dojo has claimed this domain already.")
    claimed = Domain.objects.create(tenant=tenant, domain=domain, is_primary=False)
    RoutingEpoch.advance()
    return claimed


def verify_domain(*, domain: Domain, now: datetime) -> Domain:
    """Look the proof up in the DNS and serve the domain if it is there. Twice changes nothing.

    Call it outside a transaction: a name server may take seconds. Raises `DomainNotVerified` with what was looked for
    and what was found, `DnsAway`, `DomainTaken`, and `WrongState`.
    """
    if domain.verified_at is not None:
        return domain
    _refuse_taken(domain.domain)
    _look_up(domain)
    return _serve(domain, now)


@transaction.atomic
def make_primary(*, domain: Domain) -> Domain:
    """Let links, mails and papers of the dojo name this domain. Raises `WrongState` for one that is not verified."""
    _held(domain.tenant)
    domain = _again(domain)
    if domain.verified_at is None:
        raise WrongState("A domain must be verified before it can be the primary one.")
    Domain.objects.filter(tenant=domain.tenant_id, is_primary=True).update(is_primary=False)
    domain.is_primary = True
    domain.save(update_fields=["is_primary"])
    RoutingEpoch.advance()
    return domain


@transaction.atomic
def remove_domain(*, domain: Domain) -> None:
    """Stop serving a domain and give up the claim. If it was the primary one, the dojo's subdomain is again.

    Raises `WrongState` for the subdomain itself.
    """
    _held(domain.tenant)
    subdomain = own_subdomain(domain.tenant)
    if domain.pk == subdomain.pk:
        raise WrongState("A dojo keeps its subdomain of the platform's domain.")
    Domain.objects.filter(pk=domain.pk).delete()
    if not Domain.objects.filter(tenant=domain.tenant_id, is_primary=True).exists():
        Domain.objects.filter(pk=subdomain.pk).update(is_primary=True)
    RoutingEpoch.advance()


def own_subdomain(tenant: Tenant) -> Domain:
    """Return the domain that was made with the dojo, and that nobody can claim."""
    return Domain.objects.get(tenant=tenant, domain=f"{tenant.slug}.{settings.TATAMI_BASE_DOMAIN}")


def _held(tenant: Tenant) -> None:
    """Lock the dojo's row, so that two changes of its domains come one after the other.

    Raises `WrongState` unless the dojo is made and not being deleted, `NotFound` if it is gone.
    """
    status = Tenant.objects.select_for_update().filter(pk=tenant.pk).values_list("status", flat=True).first()
    if status is None:
        raise NotFound
    if status not in SERVED_OR_PAUSED:
        raise WrongState(f"The domains of a dojo that is {status} cannot be changed.")


def _again(domain: Domain) -> Domain:
    """Return the row as it is now that the dojo's is held. Raises `NotFound` if it was removed meanwhile."""
    present = Domain.objects.filter(pk=domain.pk).first()
    if present is None:
        raise NotFound
    return present


def _refuse_taken(domain: str) -> None:
    if Domain.objects.filter(domain=domain, verified_at__isnull=False).exists():
        raise DomainTaken


def _look_up(domain: Domain) -> None:
    record = proof_record(domain.tenant_id, domain.domain)
    wanted = {"record": {"name": record.name, "type": record.type, "value": record.value}}
    try:
        found = text_records(record.name)
    except DnsFailing as fault:
        raise DomainNotVerified(fault.message, details={**wanted, "found": []}) from None
    if not proves(found, domain.tenant_id, domain.domain):
        message = "The record says something else." if found else "There is no such record in the DNS (yet)."
        raise DomainNotVerified(message, details={**wanted, "found": list(found)})


def _serve(domain: Domain, now: datetime) -> Domain:
    try:
        with transaction.atomic():
            _held(domain.tenant)
            domain = _again(domain)
            domain.verified_at = domain.verified_at or now
            domain.save(update_fields=["verified_at"])
            RoutingEpoch.advance()
    except IntegrityError as violation:
        if "domain_once" in str(violation):
            raise DomainTaken from None
        raise
    return domain
