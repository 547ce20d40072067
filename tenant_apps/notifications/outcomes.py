"""What became of a mail that was handed to the mail server, as the server said it."""

import re
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

_STATUS: Final = re.compile(r"(?:^|#)([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
"""RFC 3463: before the words. Some servers write `#` before it, and then also at their end."""

_NOBODY: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""RFC 3463 and 7505: no such mailbox, no such host, no address at all, moved away, a host that takes no mail."""
_NOBODY_IN_SHORT: Final = frozenset({550, 551, 553})
"""RFC 5321: what servers say of a recipient whom they do not know, if they say no status."""

_TOO_LARGE: Final = frozenset({"5.2.3", "5.3.4"})
"""RFC 3463: for this recipient, for this server."""
_TOO_LARGE_IN_SHORT: Final = 552
"""RFC 1870."""


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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the server that is no yes."""

    code: int
    said: bytes | str

    @property
    def words(self) -> str:
        """Return the answer in one line."""
        return _shortened(f"{self.code} {self._text}")

    @property
    def is_permanent(self) -> bool:
        """Say whether the same mail will be refused again."""
        return self.code >= _PERMANENT

    @property
    def knows_nobody(self) -> bool:
        """Say whether there is no such recipient. Mailboxes that are full, and policies, are another matter."""
        return self.status in _NOBODY if self.status else self.code in _NOBODY_IN_SHORT

    @property
    def is_for_size(self) -> bool:
        """Say whether the mail is larger than the server takes."""
        return self.status in _TOO_LARGE if self.status else self.code == _TOO_LARGE_IN_SHORT

    @property
    def status(self) -> str:
        """Return the status of RFC 3463, empty where the server gave none."""
        found = _STATUS.search(self._text)
        return found[1] if found else ""

    @property
    def _text(self) -> str:
        return self.said.decode("utf-8", "replace") if isinstance(self.said, bytes) else self.said


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
            return _of_recipient(Refusal(*next(iter(fault.recipients.values()))))
        case smtplib.SMTPDataError():
            return _of_mail(Refusal(fault.smtp_code, fault.smtp_error))
        case smtplib.SMTPSenderRefused():
            return _of_sender(Refusal(fault.smtp_code, fault.smtp_error))
        case smtplib.SMTPResponseException():
            return _of_server(Refusal(fault.smtp_code, fault.smtp_error))
    return Outcome(Delivery.State.QUEUED, _shortened(str(fault)), is_server_away=True)


def wait_after(attempts: int) -> timedelta:
    """Return how long a mail waits after so many tries: twice as long each time."""
    doubled: timedelta = FIRST_WAIT * 2 ** (attempts - 1)
    return min(doubled, LONGEST_WAIT)


def _of_recipient(refusal: Refusal) -> Outcome:
    if refusal.is_permanent and refusal.knows_nobody:
        return Outcome(Delivery.State.FAILED, refusal.words, has_bounced=True)
    return _of_mail(refusal)


def _of_mail(refusal: Refusal) -> Outcome:
    if refusal.is_permanent:
        return Outcome(Delivery.State.FAILED, refusal.words)
    if refusal.code == _CLOSING:
        return _of_server(refusal)
    return Outcome(Delivery.State.QUEUED, refusal.words)


def _of_sender(refusal: Refusal) -> Outcome:
    """MAIL FROM says the size, too. What else is refused may be this mail's fault, or that of the sender all share."""
    if refusal.is_permanent and refusal.is_for_size:
        return Outcome(Delivery.State.FAILED, refusal.words)
    if refusal.is_permanent:
        return Outcome(Delivery.State.QUEUED, refusal.words, is_server_away=True)
    return _of_server(refusal)


def _of_server(refusal: Refusal) -> Outcome:
    return Outcome(Delivery.State.QUEUED, refusal.words, is_server_away=True, counts=False)


def _shortened(text: str) -> str:
    return one_line(text)[:_LONGEST_REASON]
