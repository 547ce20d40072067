"""Why a scan is refused: the errors of the contract, named after the rules, in the order in which they are tested."""

from tatami.errors import DomainError


class ClockUnreliable(DomainError):
    """The clock of the device that took this scan cannot be trusted."""

    code = "clock_unreliable"


class AmbiguousStudent(DomainError):
    """You speak for several students: say which one."""

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
    """Several class sessions are open: say which one."""

    code = "ambiguous_session"


class OutsideCheckInWindow(DomainError):
    """Check-in for this class session is not open now."""

    code = "outside_check_in_window"


class NotEnrolled(DomainError):
    """This student is not enrolled in this class."""

    code = "not_enrolled"


class BelowMinRank(DomainError):
    """This student's rank is below the one this class asks for."""

    code = "below_min_rank"


class SessionFull(DomainError):
    """This class session is full."""

    code = "session_full"
