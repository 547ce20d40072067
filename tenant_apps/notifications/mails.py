"""A mail as it goes out: its headers, and the way out of bulk mail (RFC 2369, RFC 8058)."""

from datetime import datetime
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from tatami.tenancy.scope import current_tenant
from tenant_apps.notifications.attachments import attachments_for
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import Letter, compose
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.notifications.unsubscribing import WORDS, unsubscribe_url
from tenant_apps.notifications.writing import one_line

LONGEST_NAME: Final = 100


def mail_of(
    delivery: Delivery,
    notification: Notification,
    *,
    reply_to: str,
    now: datetime,
    connection: BaseEmailBackend,
) -> EmailMessage:
    """Return the mail. Raises `BrokenText`, `ValueError` for what no header can hold, and what printing raises."""
    source = Letter(notification.subject, notification.body)
    letter = compose(source, delivery.values, language=notification.language, kind=Kind(notification.kind))
    headers = {
        "Message-ID": message_id(delivery),
        "Date": format_datetime(now),
        "Auto-Submitted": "auto-generated",
    }
    body = letter.body
    if notification.is_bulk and delivery.address_key is not None:
        url = unsubscribe_url(bytes(delivery.address_key))
        headers["List-Unsubscribe"] = f"<{url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        body += f"\n-- \n{WORDS[notification.language]['footer']}: {url}\n"
    mail = EmailMessage(
        subject=letter.subject,
        body=body,
        from_email=_sender(),
        to=[delivery.address],
        reply_to=[reply_to] if reply_to else None,
        headers=headers,
        connection=connection,
        attachments=attachments_for(delivery),
    )
    mail.message()  # what cannot be written is found out here, before anything is sent
    return mail


def message_id(delivery: Delivery) -> str:
    """Return the mail's own id: the same each time it is sent, so that a second copy is known for one."""
    return f"<{delivery.pk}@{_sending_domain(settings.DEFAULT_FROM_EMAIL)}>"


def _sender() -> str:
    """Return the platform's address under the dojo's name."""
    name = one_line(current_tenant().name)[:LONGEST_NAME]
    return formataddr((name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1]))


@cache
def _sending_domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or settings.TATAMI_BASE_DOMAIN
