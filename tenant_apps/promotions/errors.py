"""What may stand in the way of a promotion."""

from tatami.errors import DomainError


class NotEligible(DomainError):
    """The rules do not allow this promotion yet."""

    code = "not_eligible"


class AlreadyAwarded(DomainError):
    """The student has received this rank already."""

    code = "already_awarded"


class DemotedThatDay(DomainError):
    """The student was demoted on that day, and a demotion comes last: no rank can be awarded on it."""

    code = "demoted_that_day"


class AmbiguousTarget(DomainError):
    """More than one rank is open to the student: name the one that is meant."""

    code = "ambiguous_target"


class BatchEnded(DomainError):
    """This batch has come to its end: there is nothing left to cancel."""

    code = "batch_ended"


class NothingToRevert(DomainError):
    """This batch awards nothing, so there is nothing to revert."""

    code = "nothing_to_revert"


class AlreadyReverted(DomainError):
    """This batch was reverted before."""

    code = "already_reverted"


class ExamFinished(DomainError):
    """This exam is finished: reopen it first."""

    code = "exam_finished"


class ExamNotFinished(DomainError):
    """This exam is not finished."""

    code = "exam_not_finished"


class ExamNotHeld(DomainError):
    """The day of this exam has not come yet."""

    code = "exam_not_held"


class AlreadyCandidate(DomainError):
    """Somebody is a candidate for another rank in this exam already."""

    code = "already_candidate"
