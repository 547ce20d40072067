"""Domain names that a tenant may claim, and the DNS record that proves a claim."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import idna
from django.conf import settings
from django.utils.translation import gettext
from dns.exception import DNSException, Timeout
from dns.rdtypes.txtbase import TXTBase
from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration, Resolver

from shared_apps.tenants.errors import DnsFailure, DnsUnavailable
from tatami.errors import Invalid
from tatami.keys import tenant_hashes

MAX_NAME_LENGTH: Final = 253
MAX_DOMAIN_LENGTH: Final = MAX_NAME_LENGTH - len("_tatami.")
"""The name of the record that verifies a domain is longer than the domain, and also limited to 253 characters."""

RESERVED_TOP_LEVEL_DOMAINS: Final = frozenset(
    {"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}
)
"""Top-level domains that the public DNS does not resolve (RFC 6761, 6762, 7686, 9476)."""

PROOF_LABEL: Final = "_tatami"
PROOF_PREFIX: Final = "tatami-verification="
LOOKUP_SECONDS: Final = 5.0
"""How long a look-up may take, all attempts together."""

_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes clients read the whole name as an IP address (the WHATWG's URL standard)."""


def normalised_domain(given: str) -> str:
    """Return a domain in lower case, as A-labels, without its trailing dot: the form in which hosts are looked up.

    Raises `Invalid` if it is no domain (an address, a port, a single label), or one that a tenant may not claim.
    """
    domain = ascii_domain(given)
    labels = domain.split(".")
    if len(labels) == 1 or _NUMERIC.fullmatch(labels[-1]):
        raise _invalid(
            gettext("This is a single label or an address. Give a domain name, such as www.example.com.")
        )
    if len(domain) > MAX_DOMAIN_LENGTH:
        raise _invalid(
            gettext(
                "A domain can have at most {most} characters, because its DNS record needs the rest."
            ).format(most=MAX_DOMAIN_LENGTH)
        )
    base = settings.TATAMI_BASE_DOMAIN
    if domain == base or domain.endswith(f".{base}"):
        raise _invalid(gettext("The platform's own domain and its subdomains cannot be claimed."))
    if labels[-1] in RESERVED_TOP_LEVEL_DOMAINS:
        raise _invalid(gettext("This domain is reserved: it cannot be verified by DNS."))
    return domain


def ascii_domain(given: str) -> str:
    """Return a name in the form in which hosts are looked up, whether or not it may be claimed.

    Raises `Invalid` if it is no name.
    """
    try:
        encoded = idna.encode(given, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise _invalid(gettext("This is not a domain name. Give it without scheme, port and path.")) from None
    return encoded.lower().removesuffix(".")


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """The DNS record by which a tenant proves that a domain is its own."""

    name: str
    value: str
    type: str = "TXT"


def proof_record(tenant_id: UUID, domain: str) -> ProofRecord:
    """Return the record to create. Its value reveals neither tenant nor key, and cannot be guessed."""
    return ProofRecord(name=f"{PROOF_LABEL}.{domain}", value=_proof_values(tenant_id, domain)[0])


def is_proof(texts: Sequence[str], tenant_id: UUID, domain: str) -> bool:
    """Return whether TXT records prove the domain. Records made with the previous secret count, too."""
    return not {text.strip() for text in texts}.isdisjoint(_proof_values(tenant_id, domain))


def text_records(name: str) -> Sequence[str]:
    """Return the TXT records of a name, by the system's name servers; none if there are none.

    Raises `DnsFailure`, or `DnsUnavailable` after `LOOKUP_SECONDS`. Tests replace this function.
    """
    return DnsResolver().text_records(name)


@dataclass(frozen=True)
class DnsResolver:
    """A DNS look-up by the system's name servers, or by the given ones."""

    nameservers: Sequence[str] = field(default=())
    port: int = 53
    seconds: float = LOOKUP_SECONDS

    def text_records(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name. Raises `DnsFailure` and `DnsUnavailable`."""
        try:
            answer = self._resolver().resolve(f"{name}.", "TXT", lifetime=self.seconds)
        except (NXDOMAIN, NoAnswer):
            return []
        except (Timeout, NoResolverConfiguration) as fault:
            raise DnsUnavailable(str(fault)) from None
        except NoNameservers as fault:
            raise (DnsFailure if _has_response(fault) else DnsUnavailable) from None
        except DNSException as fault:
            raise DnsFailure(
                gettext("The domain's DNS sent a response that cannot be read: {fault}").format(fault=fault)
            ) from None
        return [
            b"".join(record.strings).decode("utf-8", errors="replace")
            for record in answer
            if isinstance(record, TXTBase)
        ]

    def _resolver(self) -> Resolver:
        resolver = Resolver(configure=not self.nameservers)
        if self.nameservers:
            resolver.nameservers = list(self.nameservers)
            resolver.port = self.port
        return resolver


def _has_response(fault: NoNameservers) -> bool:
    """Return whether a name server responded that it cannot tell; if not, none could be reached."""
    errors = (fault.kwargs or {}).get("errors", [])
    return any(response is not None for *_, response in errors)


def _proof_values(tenant_id: UUID, domain: str) -> list[str]:
    digests = tenant_hashes("domain verification", tenant_id, domain)
    return [PROOF_PREFIX + base64.b32encode(digest[:20]).decode("ascii").lower() for digest in digests]


def _invalid(message: str) -> Invalid:
    return Invalid.field("domain", message)
