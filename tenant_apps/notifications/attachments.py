"""What comes along with a mail: the certificates of the awards that it tells of."""

from typing import Final

from tenant_apps.notifications.models import Delivery
from tenant_apps.promotions.printing import certificates_pdf, standing_certificates

Attachment = tuple[str, bytes, str]
"""File name, content, media type."""

PDF: Final = "application/pdf"

LARGEST_CERTIFICATE: Final = 1792 * 1024
"""Bytes: a logo of 1,000 by 360 pixels that does not compress at all, and the fonts."""
LARGEST_TOTAL: Final = 7 * 1024 * 1024
"""Bytes in one mail: encoded, a third more, what a server takes that nobody set up otherwise (Postfix: 10,240,000)."""
MOST_CERTIFICATES: Final = LARGEST_TOTAL // LARGEST_CERTIFICATE
"""In one mail. By their number, since they are printed when it is sent, and the same mail must be sent again then."""


def attachments_for(delivery: Delivery) -> list[Attachment]:
    """Return a file for each award, as it stands when the mail is sent: one that was voided since has none.

    Raises what printing raises.
    """
    awards = [one["certificate"] for one in delivery.values["students"] if "certificate" in one]
    certificates = standing_certificates().filter(event__in=awards) if awards else ()
    return [(f"{one.code}.pdf", b"".join(certificates_pdf([one])), PDF) for one in certificates]
