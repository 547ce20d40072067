"""What may stand in the way of a change to a student's record."""

from tatami.errors import DomainError


class ExternalIdTaken(DomainError):
    """Another student has this external id."""


class AlreadyRecorded(DomainError):
    """This line stands in the rank history already."""


class AlreadyVoided(DomainError):
    """This was voided before."""

    code = "already_voided"


class NotForOneself(DomainError):
    """Nobody changes his own ranks."""

    code = "permission_denied"
    status = 403


class HoldOverlaps(DomainError):
    """The student is on hold on some of these days already."""

    code = "hold_overlaps"
