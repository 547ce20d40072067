"""The outbox of password links, in each dojo and on the platform. Workers send it, so no request waits for a server.

A row is written in the transaction of its cause. Sending takes two short transactions: the first one creates the link
and postpones the row, the second one deletes the row when the server has accepted the mail. No lock is held while the
server is spoken to. If the worker is killed in between, the mail is sent again with the same link: its secret is
derived from the row's id with a key of the dojo, so it is not stored either.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import structlog
from celery import shared_task
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils.translation import gettext

from shared_apps.accounts.models import PasswordLink, PasswordMail, User
from tatami import clock
from tatami.celery_base import PlatformTask
from tatami.jobs import DONE, MORE, JobRun, job
from tatami.keys import secret_hash, tenant_keys
from tatami.smtp import (
    MAIL_WAIT,
    MAX_ATTEMPTS,
    SERVER_RETRY_DELAY,
    MailServerUnavailable,
    SendResult,
    SendState,
    mail_connection,
    retry_delay,
    send_message,
)
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import TenantScope, required_scope
from tatami.tenancy.tenant_registry import tenant_registry

LINK_LIFETIME: Final = timedelta(hours=72)
"""From the first attempt to send the link. A mail that could not be sent for as long is given up."""

LEASE: Final = timedelta(minutes=2)
"""How long a worker may take to send one mail before another one sends it again."""

RUN_SECONDS: Final = 1.0
EXPIRES_AFTER_SECONDS: Final = 25
_KEY_PURPOSE: Final = "password-link"

logger: Final = structlog.get_logger(__name__)


def queue_password_mail(email_key: str, *, now: datetime) -> None:
    """Queue a mail with a password link for the active user who has this address when it is sent."""
    with transaction.atomic():
        PasswordMail.objects.create(email_key=email_key, next_try_at=now)
        if isinstance(required_scope(), TenantScope):
            send_password_mails.request()
        else:
            transaction.on_commit(_wake_platform_worker, robust=True)


@job("accounts.password_mails")
def send_password_mails(run: JobRun) -> str | None:
    """Send the mails that are due in a dojo, for about a second."""
    after = _send_due(run.now)
    oldest = PasswordMail.objects.aggregate(at=Min("created_at"))["at"]
    tenant_registry().report_backlog("password_mail", oldest)
    if after is None:
        return DONE
    if not after:
        return MORE
    send_password_mails.request_later(after=after)
    return DONE


@shared_task(base=PlatformTask, name="accounts.send_platform_password_mails")
def send_platform_password_mails() -> None:
    """Send the mails that are due on the platform. Beat calls it, too, so that later attempts need no other wake-up."""
    while _send_due(clock.now()) == timedelta(0):
        pass


def _wake_platform_worker() -> None:
    send_platform_password_mails.call(expires=EXPIRES_AFTER_SECONDS)


def _send_due(now: datetime) -> timedelta | None:
    """Send due mails for `RUN_SECONDS`; return after which time to continue, or `None` if none is left."""
    if _due(now).exists():
        until = monotonic() + RUN_SECONDS
        try:
            with mail_connection() as connection:
                while _send_next(connection):
                    if monotonic() > until:
                        return timedelta(0)
        except MailServerUnavailable as error:
            logger.warning("mail_server_unavailable", reason=str(error))
            return SERVER_RETRY_DELAY
    first = PasswordMail.objects.order_by("next_try_at").values_list("next_try_at", flat=True).first()
    return None if first is None else max(first - now, timedelta(seconds=1))


def _due(now: datetime) -> QuerySet[PasswordMail]:
    return PasswordMail.objects.filter(next_try_at__lte=now).order_by("next_try_at", "id")


def _send_next(connection: BaseEmailBackend) -> bool:
    """Send the mail that is due longest; return False if none is due. Raises `MailServerUnavailable`."""
    now = clock.now()
    mail = _due(now).first()
    if mail is None:
        return False
    prepared = _prepare(mail.pk, mail.email_key, now)
    if prepared is None:
        return True
    recipient, secret = prepared
    result = send_message(_message(recipient, secret, connection))
    _save_result(mail.pk, result, now)
    if result.state == SendState.SENT:
        MAIL_WAIT.observe((now - mail.created_at).total_seconds())
    if result.is_server_unavailable:
        raise MailServerUnavailable(result.reason)
    return True


@transaction.atomic
def _prepare(mail_id: UUID, email_key: str, now: datetime) -> tuple[str, str] | None:
    """Create the link of a mail; return its recipient and secret, or `None` if there is nothing to send (any more).

    The user is locked before the mail, as where links are invalidated.
    """
    user = User.objects.active_for_update().filter(email_key=email_key).first()
    mail = _due(now).filter(pk=mail_id).select_for_update(no_key=True).first()
    if mail is None:
        return None
    if user is None or mail.created_at <= now - LINK_LIFETIME:
        mail.delete()
        return None
    secret = _secret(mail.pk)
    PasswordLink.objects.update_or_create(
        pk=mail.pk,
        defaults={
            "user": user,
            "secret_hash": secret_hash(secret),
            "expires_at": now + LINK_LIFETIME,
            "updated_at": now,
        },
    )
    mail.attempts += 1
    mail.next_try_at = now + LEASE
    mail.save(update_fields=["attempts", "next_try_at", "updated_at"])
    return user.email, secret


def _save_result(mail_id: UUID, result: SendResult, now: datetime) -> None:
    waiting = PasswordMail.objects.filter(pk=mail_id)
    if result.state == SendState.QUEUED:
        attempts = waiting.values_list("attempts", flat=True).first()
        if attempts is not None and attempts < MAX_ATTEMPTS:
            delay = retry_delay(attempts) if result.is_attempt else SERVER_RETRY_DELAY
            waiting.update(next_try_at=now + delay, updated_at=now)
            return
    if result.state != SendState.SENT:
        # The reply of the server may repeat the address, so it is not logged.
        logger.warning("password_mail_failed", mail=str(mail_id))
    waiting.delete()


def _secret(mail_id: UUID) -> str:
    key = tenant_keys(_KEY_PURPOSE, required_scope().tenant_id)[0]
    return urlsafe_b64encode(hmac.digest(key, mail_id.bytes, hashlib.sha256)).decode().rstrip("=")


def _message(recipient: str, secret: str, connection: BaseEmailBackend) -> EmailMessage:
    page = "set-password" if isinstance(required_scope(), TenantScope) else "console/set-password/"
    body = gettext(
        "Open this link within three days to set your password:\n\n{url}\n\n"
        "An app that asks for a code takes this one: {secret}\n\nIf you did not expect this mail, ignore it.\n"
    )
    return EmailMessage(
        subject=gettext("Set your password"),
        body=body.format(url=f"{origin()}/{page}#{secret}", secret=secret),
        to=[recipient],
        connection=connection,
    )
