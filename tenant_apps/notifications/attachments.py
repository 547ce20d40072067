"""What comes along with a mail: the certificates of the awards that it tells of."""

from typing import Final

from tenant_apps.notifications.models import Delivery
from tenant_apps.promotions.printing import certificates_pdf, standing_certificates

Attachment = tuple[str, bytes, str]
"""File name, content, media type."""

PDF: Final = "application/pdf"


def attachments_for(delivery: Delivery) -> list[Attachment]:
    """Return a file for each award, as it stands when the mail is sent: one that was voided since has none.

    Raises what printing raises.
    """
    awards = [one["certificate"] for one in delivery.values["students"] if "certificate" in one]
    certificates = standing_certificates().filter(event__in=awards) if awards else ()
    return [(f"{one.code}.pdf", b"".join(certificates_pdf([one])), PDF) for one in certificates]
