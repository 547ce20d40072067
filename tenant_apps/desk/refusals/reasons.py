"""Why a scan was refused, in words: the messages of the errors of check-in, and those of notes about scans."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tatami.errors import DomainError, Invalid
from tenant_apps.attendance import errors
from tenant_apps.attendance.check_in.store import CARD_SHARED

_ERRORS: Final[dict[str, type[DomainError]]] = {
    one.code: one
    for one in (
        errors.ClockUnreliable,
        errors.QrExpired,
        errors.QrRevoked,
        errors.AmbiguousStudent,
        errors.StudentInactive,
        errors.ClassSessionNotFound,
        errors.SessionCancelled,
        errors.NoOpenSession,
        errors.AmbiguousSession,
        errors.OutsideCheckInWindow,
        errors.NotEnrolled,
        errors.BelowMinRank,
        errors.SessionFull,
    )
}
"""The errors of `attendance/check_in/rules.py` that are listed, in the order in which the rules are tested."""
_NOTES: "Final[dict[str, str | Promise]]" = {
    CARD_SHARED: gettext_lazy("The same card was used at two devices within a minute. The visit counts."),
    Invalid.code: gettext_lazy("The scan was not complete: its time or its student was missing or wrong."),
}


def reason_of(code: str) -> str:
    """Return the reason in the language of the reader; a code of a later version as words."""
    if code in _ERRORS:
        return _ERRORS[code]().message
    return str(_NOTES.get(code) or code.replace("_", " ").capitalize())


def reasons() -> dict[str, str]:
    """Return every code with its reason, in the order of the rules."""
    return {code: reason_of(code) for code in (*_ERRORS, *_NOTES)}
