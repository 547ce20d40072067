"""Certificates of rank, a page each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Final

from tatami.errors import DomainError
from tenant_apps.dojo.dates import Language, long_date
from tenant_apps.dojo.logo import printable_logo
from tenant_apps.promotions.papers.printable import line
from tenant_apps.promotions.papers.qr import symbol
from tenant_apps.promotions.papers.typesetting import typeset
from tenant_apps.promotions.papers.words import CERTIFICATE, letters

MOST_IN_ONE_FILE: Final = 500
CHUNK: Final = 64 * 1024
"""Bytes."""
SIGNATURES_ON_CERTIFICATE: Final = 6
"""The most that there is room for."""


class TooManyCertificates(DomainError):
    """More certificates were asked for than fit into one file."""

    code = "too_many_certificates"


class NothingToPrint(DomainError):
    """There is no certificate to print."""

    code = "nothing_to_print"


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What one certificate says.

    `rank_native_name` and `discipline_or_system_name` may be empty; the examiners are those who sign, six at most
    have a line of their own. `logo` is what `read_logo` returned when it was uploaded.
    """

    dojo_name: str
    logo: bytes | None
    student_name: str
    rank_name: str
    rank_native_name: str
    discipline_or_system_name: str
    awarded_on: date
    number: str
    examiners: Sequence[str]
    verify_url: str
    language: Language


def certificates_pdf(certificates: Iterable[Certificate]) -> Iterator[bytes]:
    """Return one PDF of all `certificates`, A4 landscape, a page each, in chunks of at most 64 KiB.

    They are taken one at a time and set before this returns, so that what goes wrong does so before the first byte
    is sent. Memory: some 0.7 MB a page while they are set. Equal certificates make equal files.

    NothingToPrint: none. TooManyCertificates: over 500. A logo that cannot be read is left out.
    """
    logos: dict[bytes, int | None] = {}
    pictures: list[bytes] = []
    pages: list[dict[str, Any]] = []
    latest = date.min
    for certificate in islice(certificates, MOST_IN_ONE_FILE + 1):
        if len(pages) == MOST_IN_ONE_FILE:
            raise TooManyCertificates(f"At most {MOST_IN_ONE_FILE} certificates fit into one file.")
        latest = max(latest, certificate.awarded_on)
        pages.append(_page(certificate) | {"logo": _logo(certificate.logo, logos, pictures)})
    if not pages:
        raise NothingToPrint
    data = {"certificates": pages, "logos": [list(picture) for picture in pictures]}
    pdf = typeset("certificate.typ", data, dated=latest)
    return (pdf[start : start + CHUNK] for start in range(0, len(pdf), CHUNK))


def _page(certificate: Certificate) -> dict[str, Any]:
    return letters(certificate.language) | {
        "words": CERTIFICATE[certificate.language],
        "dojo": line(certificate.dojo_name),
        "student": line(certificate.student_name),
        "rank": line(certificate.rank_name),
        "native": line(certificate.rank_native_name),
        "art": line(certificate.discipline_or_system_name),
        "date": long_date(certificate.awarded_on, certificate.language),
        "number": line(certificate.number),
        "examiners": [line(name) for name in certificate.examiners[:SIGNATURES_ON_CERTIFICATE]],
        "address": line(certificate.verify_url.partition("://")[2] or certificate.verify_url),
        "qr": list(symbol(certificate.verify_url)),
    }


def _logo(picture: bytes | None, known: dict[bytes, int | None], pictures: list[bytes]) -> int | None:
    """Return the place of the logo among `pictures`, each of which is read and embedded once."""
    if picture is None:
        return None
    if picture not in known:
        printed = printable_logo(picture)
        known[picture] = None if printed is None else len(pictures)
        pictures += [printed] if printed else []
    return known[picture]
