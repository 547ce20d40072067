"""The connection to the mail server, and what its reply means for an e-mail. Only workers use it, never a request."""

import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import models
from prometheus_client import Histogram

from tatami.metrics import counter_of
from tatami.text import one_line
from tatami.tracing import span

MAX_ATTEMPTS: Final = 10
SERVER_RETRY_DELAY: Final = timedelta(seconds=30)
"""How long sending pauses when the server accepts nothing."""
FIRST_RETRY_DELAY: Final = timedelta(minutes=2)
MAX_RETRY_DELAY: Final = timedelta(hours=8)

MAILS: Final = counter_of(
    "tatami_mails",
    "Attempts to send an e-mail, by outcome; unavailable: the mail server accepts nothing.",
    outcome=("sent", "failed", "retry", "unavailable"),
)
MAIL_WAIT: Final = Histogram(
    "tatami_mail_wait_seconds",
    "How long e-mails waited from their request until the mail server accepted them.",
    buckets=(1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400),
)

_PERMANENT: Final = 500
_CLOSING: Final = 421
_MAX_REASON_LENGTH: Final = 500

_STATUS: Final = re.compile(r"(?:^|#)([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
"""RFC 3463 status at the start of the text. Some servers write `#` before it, and then also at the end."""

_REPLY: Final = re.compile(r"([2-5]\d\d)(?: #?([245]\.\d{1,3}\.\d{1,3}))?(?: |$)")
"""A reply as `NegativeReply.reason` begins: its code, and its RFC 3463 status if it has one."""

_UNKNOWN_RECIPIENT: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""RFC 3463 and 7505: no such mailbox, no such host, invalid address, moved, the domain accepts no mail."""
_UNKNOWN_RECIPIENT_CODES: Final = frozenset({550, 551, 553})
"""RFC 5321: replies for an unknown recipient, used if the reply has no RFC 3463 status."""

_TOO_LARGE: Final = frozenset({"5.2.3", "5.3.4"})
"""RFC 3463: too large for this recipient, too large for this server."""
_TOO_LARGE_CODE: Final = 552
"""RFC 1870."""


class MailServerUnavailable(Exception):
    """The mail server accepts nothing for now. The text may be logged."""

    def __init__(self, reason: str) -> None:
        """Keep of the reason of a `SendResult` what may be logged."""
        super().__init__(loggable_reason(reason))


@contextmanager
def mail_connection() -> Iterator[BaseEmailBackend]:
    """Connect to the mail server. Raises `MailServerUnavailable`."""
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:
        MAILS.labels("unavailable").inc()
        raise MailServerUnavailable(result_of_error(error).reason) from error
    try:
        yield connection
    finally:
        with suppress(OSError):
            connection.close()


class SendState(models.TextChoices):
    """The state of an e-mail in an outbox."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of sending one e-mail. `state` QUEUED means that it is tried again."""

    state: str
    reason: str = ""
    has_bounced: bool = False
    """The server does not know the address."""
    is_server_unavailable: bool = False
    """Nothing else can be sent for now."""
    is_attempt: bool = True
    """Whether it counts as an attempt. A failure that concerns every e-mail does not."""


SENT: Final = SendResult(SendState.SENT)


@dataclass(frozen=True, slots=True)
class NegativeReply:
    """A 4xx or 5xx reply of the mail server."""

    code: int
    message: bytes | str

    @property
    def reason(self) -> str:
        """Return the reply in one line, shortened."""
        return _shortened(f"{self.code} {self._text}")

    @property
    def is_permanent(self) -> bool:
        """Return whether sending the same e-mail again would fail again."""
        return self.code >= _PERMANENT

    @property
    def is_unknown_recipient(self) -> bool:
        """Return whether the recipient does not exist. A full mailbox or a policy is something else."""
        return self.status in _UNKNOWN_RECIPIENT if self.status else self.code in _UNKNOWN_RECIPIENT_CODES

    @property
    def is_too_large(self) -> bool:
        """Return whether the e-mail is larger than the server accepts."""
        return self.status in _TOO_LARGE if self.status else self.code == _TOO_LARGE_CODE

    @property
    def status(self) -> str:
        """Return the RFC 3463 status, or an empty string if the reply has none."""
        found = _STATUS.search(self._text)
        return found[1] if found else ""

    @property
    def _text(self) -> str:
        return self.message.decode("utf-8", "replace") if isinstance(self.message, bytes) else self.message


def skipped(reason: str) -> SendResult:
    """Return the result for an e-mail that is deliberately not sent."""
    return SendResult(SendState.SKIPPED, reason)


def failed(reason: str) -> SendResult:
    """Return the result for an e-mail that can never be sent."""
    return SendResult(SendState.FAILED, _shortened(reason))


def send_message(message: EmailMessage) -> SendResult:
    """Send an e-mail over its connection and return the result."""
    try:
        with span("send mail", "CLIENT"):
            message.send()
    except OSError as error:
        result = result_of_error(error)
    except ValueError as error:  # a header that cannot be written
        result = failed(str(error))
    else:
        result = SENT
    _count(result)
    return result


def _count(result: SendResult) -> None:
    outcome = "retry" if result.state == SendState.QUEUED else result.state
    MAILS.labels("unavailable" if result.is_server_unavailable else str(outcome)).inc()


def result_of_error(error: OSError) -> SendResult:
    """Return the result for an error of the connection; the exceptions of smtplib are `OSError`s.

    If the connection is lost during the e-mail, it is unknown whether the server accepted it. The delivery is sent
    again with the same Message-ID.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _recipient_refused(NegativeReply(*next(iter(error.recipients.values()))))
        case smtplib.SMTPDataError():
            return _message_refused(NegativeReply(error.smtp_code, error.smtp_error))
        case smtplib.SMTPSenderRefused():
            return _sender_refused(NegativeReply(error.smtp_code, error.smtp_error))
        case smtplib.SMTPResponseException():
            return _server_unavailable(NegativeReply(error.smtp_code, error.smtp_error))
    return SendResult(SendState.QUEUED, _shortened(str(error)), is_server_unavailable=True)


def loggable_reason(reason: str) -> str:
    """Return what may be logged of the reason of a `SendResult`.

    The text of a server's reply may repeat an address, so only its codes remain: `450 4.7.1`. Errors of the connection
    remain as they are.
    """
    reply = _REPLY.match(reason)
    return " ".join(filter(None, reply.groups())) if reply else reason


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts. The delay doubles each time, up to `MAX_RETRY_DELAY`."""
    doubled: timedelta = FIRST_RETRY_DELAY * 2 ** (attempts - 1)
    return min(doubled, MAX_RETRY_DELAY)


def _recipient_refused(reply: NegativeReply) -> SendResult:
    if reply.is_permanent and reply.is_unknown_recipient:
        return SendResult(SendState.FAILED, reply.reason, has_bounced=True)
    return _message_refused(reply)


def _message_refused(reply: NegativeReply) -> SendResult:
    if reply.is_permanent:
        return SendResult(SendState.FAILED, reply.reason)
    if reply.code == _CLOSING:
        return _server_unavailable(reply)
    return SendResult(SendState.QUEUED, reply.reason)


def _sender_refused(reply: NegativeReply) -> SendResult:
    """Return the result for a refused MAIL FROM, which also announces the size.

    Another permanent refusal may be caused by this e-mail or by the sender that all e-mails share, so it counts as an
    attempt and pauses sending.
    """
    if reply.is_permanent and reply.is_too_large:
        return SendResult(SendState.FAILED, reply.reason)
    if reply.is_permanent:
        return SendResult(SendState.QUEUED, reply.reason, is_server_unavailable=True)
    return _server_unavailable(reply)


def _server_unavailable(reply: NegativeReply) -> SendResult:
    return SendResult(SendState.QUEUED, reply.reason, is_server_unavailable=True, is_attempt=False)


def _shortened(text: str) -> str:
    return one_line(text)[:_MAX_REASON_LENGTH]
