"""The DNS record that proves a domain: what it must say, and how it is looked up."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string
from dns.exception import DNSException, Timeout
from dns.rdtypes.txtbase import TXTBase
from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration, Resolver

from shared_apps.tenants.errors import DnsAway, DnsFailing
from tatami.keys import tenant_keys

LABEL: Final = "_tatami"
PREFIX: Final = "tatami-verification="
PATIENCE: Final = 5.0
"""Seconds that a look-up may take, all attempts together."""

TextRecords = Callable[[str], Sequence[str]]
"""Returns the TXT records of a name, none if there are none. Raises `DnsFailing`, or `DnsAway` after `PATIENCE`."""


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """The record by which a dojo proves that a domain is its own."""

    name: str
    value: str
    type: str = "TXT"


def proof_record(tenant_id: UUID, domain: str) -> ProofRecord:
    """Return the record to be made. Its value tells nothing about dojo or key, and nobody else can make it up."""
    return ProofRecord(name=f"{LABEL}.{domain}", value=_values(tenant_id, domain)[0])


def proves(found: Sequence[str], tenant_id: UUID, domain: str) -> bool:
    """Say whether records that were found prove the domain, also if they were made with the secret before."""
    return not {text.strip() for text in found}.isdisjoint(_values(tenant_id, domain))


def text_records(name: str) -> Sequence[str]:
    """Return the TXT records of a name, asked of whoever `settings.TATAMI_RESOLVER` names."""
    return cast("TextRecords", import_string(settings.TATAMI_RESOLVER))(name)


@dataclass(frozen=True)
class DnsResolver:
    """A real look-up: by the system's name servers, or by those given."""

    nameservers: Sequence[str] = field(default=())
    port: int = 53
    seconds: float = PATIENCE

    def __call__(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name. Raises `DnsFailing` and `DnsAway`."""
        try:
            answer = self._resolver().resolve(f"{name}.", "TXT", lifetime=self.seconds)
        except (NXDOMAIN, NoAnswer):
            return []
        except (Timeout, NoResolverConfiguration) as fault:
            raise DnsAway(str(fault)) from None
        except NoNameservers as fault:
            raise (DnsFailing if _somebody_answered(fault) else DnsAway) from None
        except DNSException as fault:
            raise DnsFailing(f"The domain's DNS gives an answer that cannot be read: {fault}") from None
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


ask_dns: Final = DnsResolver()


def _somebody_answered(fault: NoNameservers) -> bool:
    """Say whether a name server said that it cannot tell; otherwise nobody could be asked."""
    errors = (fault.kwargs or {}).get("errors", [])
    return any(response is not None for *_, response in errors)


def _values(tenant_id: UUID, domain: str) -> list[str]:
    keys = tenant_keys("domain verification", tenant_id)
    digests = (hmac.digest(key, domain.encode("ascii"), hashlib.sha256)[:20] for key in keys)
    return [PREFIX + base64.b32encode(digest).decode("ascii").lower() for digest in digests]
