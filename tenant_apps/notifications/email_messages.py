"""The e-mail of a delivery: headers, text, certificates, and the unsubscribe link of bulk mail (RFC 2369, RFC 8058)."""

from datetime import datetime
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import translation
from django.utils.translation import gettext

from tatami.tenancy.scope import current_tenant
from tatami.text import one_line
from tenant_apps.notifications.addresses import unsubscribe_url
from tenant_apps.notifications.models import Delivery, Notification, NotificationKind
from tenant_apps.notifications.templates import MessageText, render_message
from tenant_apps.promotions.errors import MissingGlyphs
from tenant_apps.promotions.pdf.documents import print_certificates, printable_certificates

logger = structlog.get_logger(__name__)

MAX_SENDER_NAME_LENGTH: Final = 100

MAX_CERTIFICATE_BYTES: Final = 1792 * 1024
"""A logo of 1,000 by 360 pixels that does not compress at all, and the fonts."""
MAX_ATTACHMENT_BYTES: Final = 7 * 1024 * 1024
"""Per e-mail. Base64 adds a third; the default limit of Postfix is 10,240,000 bytes."""
MAX_CERTIFICATES: Final = MAX_ATTACHMENT_BYTES // MAX_CERTIFICATE_BYTES
"""Per e-mail. The limit is a number, because certificates are made on sending, and a repeated e-mail must be equal."""

Attachment = tuple[str, bytes, str]
"""File name, content, media type."""


def email_message(
    delivery: Delivery,
    notification: Notification,
    *,
    reply_to: str,
    now: datetime,
    connection: BaseEmailBackend,
) -> EmailMessage:
    """Return the e-mail of a delivery.

    Raises `InvalidTemplate`, `ValueError` if a header cannot hold its value, and what making a certificate raises.
    """
    source = MessageText(notification.subject, notification.body)
    kind = NotificationKind(notification.kind)
    text = render_message(source, delivery.values, language=notification.language, kind=kind)
    headers = {
        "Message-ID": message_id(delivery),
        "Date": format_datetime(now),
        "Auto-Submitted": "auto-generated",
    }
    body = text.body
    if notification.is_bulk and delivery.address_key is not None:
        url = unsubscribe_url(bytes(delivery.address_key))
        headers["List-Unsubscribe"] = f"<{url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        with translation.override(notification.language):
            body += f"\n-- \n{gettext('No more of these mails')}: {url}\n"
    message = EmailMessage(
        subject=text.subject,
        body=body,
        from_email=_sender(),
        to=[delivery.address],
        reply_to=[reply_to] if reply_to else None,
        headers=headers,
        connection=connection,
        attachments=certificates_of(delivery),
    )
    message.message()  # builds all headers, so that an invalid one raises before anything is sent
    return message


def message_id(delivery: Delivery) -> str:
    """Return the Message-ID. It is the same on every attempt, so that mail programs recognise a duplicate."""
    return f"<{delivery.pk}@{_sending_domain(settings.DEFAULT_FROM_EMAIL)}>"


def certificates_of(delivery: Delivery) -> list[Attachment]:
    """Return a PDF for each award in the delivery.

    There is none for an award that was voided in the meantime, and none that lacks glyphs: the award is announced, and
    the desk, which learns the characters from the PDF of the award, has to print it otherwise. Raises what making a
    certificate raises.
    """
    awards = [one["certificate"] for one in delivery.values["students"] if "certificate" in one]
    certificates = printable_certificates().filter(event__in=awards) if awards else ()
    attachments = []
    for one in certificates:
        try:
            attachments.append((f"{one.code}.pdf", b"".join(print_certificates([one])), "application/pdf"))
        except MissingGlyphs:
            logger.warning("certificate_not_attached", certificate=str(one.pk), code=MissingGlyphs.code)
    return attachments


def _sender() -> str:
    """Return the platform's address with the dojo's name."""
    name = one_line(current_tenant().name)[:MAX_SENDER_NAME_LENGTH]
    return formataddr((name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1]))


@cache
def _sending_domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or settings.TATAMI_BASE_DOMAIN
