"""Which names a dojo may claim, in the one form in which hosts are looked up."""

import re
from typing import Final

import idna
from django.conf import settings

from tatami.errors import Invalid

LONGEST_NAME: Final = 253
LONGEST_DOMAIN: Final = LONGEST_NAME - len("_tatami.")
"""A longer one has no room for the record that would verify it."""

SPECIAL: Final = frozenset(
    {"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}
)
"""Top-level domains that the DNS of the world does not answer for (RFC 6761, 6762, 7686, 9476)."""

_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label of which clients make an IP address (the WHATWG's URL standard)."""


def normalised_domain(given: str) -> str:
    """Return a domain in lower case, as A-labels, without its trailing dot.

    Raises `Invalid` for what is no domain (an address, a port, a bare label) or none that a dojo may claim.
    """
    domain = ascii_domain(given)
    labels = domain.split(".")
    if len(labels) == 1 or _NUMERIC.fullmatch(labels[-1]):
        raise _refused("This is not a domain name but a single label or an address.")
    if len(domain) > LONGEST_DOMAIN:
        raise _refused(
            f"A domain has at most {LONGEST_DOMAIN} characters here: its DNS record needs the rest."
        )
    base = settings.TATAMI_BASE_DOMAIN
    if domain == base or domain.endswith(f".{base}"):
        raise _refused("The platform's own domain and what is below it cannot be claimed.")
    if labels[-1] in SPECIAL:
        raise _refused("This domain is reserved: it cannot be verified by DNS.")
    return domain


def ascii_domain(given: str) -> str:
    """Return a name as hosts are looked up by, whether it may be claimed or not. Raises `Invalid` for no name."""
    try:
        encoded = idna.encode(given, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise _refused("This is not a domain name: give it without scheme, port and path.") from None
    return encoded.lower().removesuffix(".")


def _refused(message: str) -> Invalid:
    return Invalid.field("domain", message)
