"""What became of a mail that was handed to the mail server, as the server said it."""

import smtplib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.writing import one_line

MOST_ATTEMPTS: Final = 10
FIRST_WAIT: Final = timedelta(minutes=2)
LONGEST_WAIT: Final = timedelta(hours=8)

_PERMANENT: Final = 500
_CLOSING: Final = 421
_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mail; `state` QUEUED means that it is tried again."""

    state: str
    reason: str = ""
    has_bounced: bool = False
    """The server knows no such address."""
    is_server_away: bool = False
    """Nothing more can be sent for now."""
    counts: bool = True
    """Whether it was a try: what fails for everybody is no mail's fault."""


SENT: Final = Outcome(Delivery.State.SENT)


def skipped(reason: str) -> Outcome:
    """Return the outcome of a mail that is not sent, and why."""
    return Outcome(Delivery.State.SKIPPED, reason)


def failed(reason: str) -> Outcome:
    """Return the outcome of a mail that cannot be sent, and why."""
    return Outcome(Delivery.State.FAILED, _shortened(reason))


def outcome_of(fault: OSError) -> Outcome:
    """Return what a fault of the connection (smtplib's are `OSError`s) means for the mail that was being sent.

    A connection that was lost in the middle may have lost the mail or only the word that it was taken: it is sent
    again, under the same Message-ID.
    """
    match fault:
        case smtplib.SMTPRecipientsRefused():
            code, words = next(iter(fault.recipients.values()))
            return _refused(code, words, by_recipient=True)
        case smtplib.SMTPDataError():
            return _refused(fault.smtp_code, fault.smtp_error, by_recipient=False)
        case smtplib.SMTPResponseException():
            said = _words(fault.smtp_code, fault.smtp_error)
            return Outcome(Delivery.State.QUEUED, said, is_server_away=True, counts=False)
    return Outcome(Delivery.State.QUEUED, _shortened(str(fault)), is_server_away=True)


def wait_after(attempts: int) -> timedelta:
    """Return how long a mail waits after so many tries: twice as long each time."""
    doubled: timedelta = FIRST_WAIT * 2 ** (attempts - 1)
    return min(doubled, LONGEST_WAIT)


def _refused(code: int, said: bytes | str, *, by_recipient: bool) -> Outcome:
    words = _words(code, said)
    if code >= _PERMANENT:
        return Outcome(Delivery.State.FAILED, words, has_bounced=by_recipient)
    if code == _CLOSING:
        return Outcome(Delivery.State.QUEUED, words, is_server_away=True, counts=False)
    return Outcome(Delivery.State.QUEUED, words)


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _shortened(f"{code} {text}")


def _shortened(text: str) -> str:
    return one_line(text)[:_LONGEST_REASON]
