"""Errors of changes to students and their records."""

from tatami.errors import DomainError


class ExternalIdTaken(DomainError):
    """Another student has this external id."""


class AlreadyRecorded(DomainError):
    """This event is already in the rank history."""


class AlreadyVoided(DomainError):
    """This is already voided."""

    code = "already_voided"


class OwnRankChange(DomainError):
    """You cannot change your own ranks."""

    code = "permission_denied"
    status = 403


class HoldOverlaps(DomainError):
    """The student is already on hold on some of these days."""

    code = "hold_overlaps"


class AlreadyMerged(DomainError):
    """This record was merged already."""

    code = "already_merged"


class PossibleDuplicate(DomainError):
    """There is a student of this name already. Send `allow_duplicates=true` if it is another person."""

    code = "possible_duplicate"
