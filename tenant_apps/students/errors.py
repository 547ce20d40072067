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


class RankOutOfOrder(DomainError):
    """This rank does not fit into the rank history on this day."""

    code = "rank_out_of_order"


class NothingToDemote(DomainError):
    """The student holds no rank of this rank system on this day, so there is nothing to demote from."""

    code = "nothing_to_demote"


class NoSuchConversion(DomainError):
    """The rules have no conversion from the rank held to this rank. Send a `note` that says why it was converted."""

    code = "no_such_conversion"


class RanksStandOnIt(DomainError):
    """Later ranks stand on what this takes away. Send `cascade` to void them too, or `keep_later` to keep them."""

    code = "ranks_stand_on_it"


class OwnApproval(DomainError):
    """You cannot approve yourself or your child."""

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


class ImportInProgress(DomainError):
    """Another import of this dojo is running. Send the file again when it has ended."""

    code = "import_in_progress"
