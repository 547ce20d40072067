"""Every error of this app. The docstring of each is its default message; `code` is part of the API."""

from tatami.errors import DomainError, PermissionDenied

# --- scans, in the order in which the rules are tested --------------------------------------------------------------


class NonceReused(DomainError):
    """This nonce was already used with another code. Use a new nonce for each scan."""

    code = "idempotency_key_reused"


class QrInvalid(DomainError):
    """This code is not valid here."""

    code = "qr_invalid"
    status = 400


class ClockUnreliable(DomainError):
    """The clock of the device that took this scan was wrong. Set its clock before you scan again."""

    code = "clock_unreliable"


class QrExpired(DomainError):
    """This code has expired. Show a fresh one."""

    code = "qr_expired"
    status = 400


class QrRevoked(DomainError):
    """This card has been replaced or reported lost."""

    code = "qr_revoked"
    status = 400


class AmbiguousStudent(DomainError):
    """Several students are linked with your account. Choose the one who checks in."""

    code = "ambiguous_student"


class StudentInactive(DomainError):
    """This student does not train here at present."""

    code = "student_inactive"


class ClassSessionNotFound(DomainError):
    """There is no such class session."""

    code = "class_session_not_found"
    status = 404


class SessionCancelled(DomainError):
    """This class session is cancelled."""

    code = "session_cancelled"


class NoOpenSession(DomainError):
    """No class session is open for check-in now."""

    code = "no_open_session"


class AmbiguousSession(DomainError):
    """Several class sessions are open. Choose one of them."""

    code = "ambiguous_session"


class OutsideCheckInWindow(DomainError):
    """Check-in for this class session is not open now."""

    code = "outside_check_in_window"


class NotEnrolled(DomainError):
    """This student is not enrolled in this class."""

    code = "not_enrolled"


class BelowMinRank(DomainError):
    """This student's rank is below the minimum rank of this class."""

    code = "below_min_rank"


class SessionFull(DomainError):
    """This class session is full."""

    code = "session_full"


# --- corrections ----------------------------------------------------------------------------------------------------


class SessionNotBegun(DomainError):
    """It is too early for this class session. Attendance can be recorded from shortly before its check-in opens."""

    code = "session_not_begun"


class NotRecordedByYou(PermissionDenied):
    """You may void only what you recorded yourself, on the same day. Ask an instructor or an admin."""


# --- devices --------------------------------------------------------------------------------------------------------


class PairingCodeInvalid(DomainError):
    """There is no such pairing code here."""

    code = "pairing_code_invalid"
    status = 400


class PairingCodeExpired(DomainError):
    """This pairing code has expired. Ask for a new one."""

    code = "pairing_code_expired"
    status = 400


class AlreadyPaired(DomainError):
    """A device was already paired with this code. Ask for a new code."""

    code = "already_paired"


class DeviceRevoked(DomainError):
    """This device has been revoked. Add it again as a new device."""

    code = "device_revoked"
