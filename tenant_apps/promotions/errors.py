"""Errors of promotions, batches and exams. Each docstring is the default message of its error."""

from tatami.errors import DomainError


class NotEligible(DomainError):
    """The rules do not allow this promotion yet."""

    code = "not_eligible"


class AlreadyAwarded(DomainError):
    """The student has received this rank already."""

    code = "already_awarded"


class DemotedThatDay(DomainError):
    """The student was demoted on this day. A demotion comes last on its day, so no rank can be awarded on it."""

    code = "demoted_that_day"


class ExamNeeded(DomainError):
    """Ranks of this kind are awarded by an exam. An award without one needs a reason."""

    code = "exam_needed"


class AmbiguousTarget(DomainError):
    """More than one rank is open to the student. Name the one that you mean in `target_ranks`."""

    code = "ambiguous_target"


class NoOpenRank(DomainError):
    """The rules have no step from the rank that the student holds to a rank that was asked for."""

    code = "no_open_rank"


class BatchEnded(DomainError):
    """This batch has ended, so there is nothing left to cancel."""

    code = "batch_ended"


class NothingToRevert(DomainError):
    """This batch awards no ranks, so there is nothing to revert."""

    code = "nothing_to_revert"


class AlreadyReverted(DomainError):
    """This batch was reverted already."""

    code = "already_reverted"


class ExamFinished(DomainError):
    """This exam is finished. Reopen it first."""

    code = "exam_finished"


class ExamNotFinished(DomainError):
    """This exam is not finished."""

    code = "exam_not_finished"


class ExamNotHeld(DomainError):
    """The day of this exam has not come yet."""

    code = "exam_not_held"


class MarksTooLow(DomainError):
    """Some techniques are not marked, or below the pass mark. A pass needs a reason then."""

    code = "marks_too_low"


class ExaminersMissing(DomainError):
    """The rules ask for more examiners for this rank. A pass needs a reason then."""

    code = "examiners_missing"


class NoOpenCondition(DomainError):
    """This candidate did not pass on a condition that is still open."""

    code = "no_open_condition"


class DeadlinePassed(DomainError):
    """The condition was to be met by an earlier day. Send an `override_reason` to award the rank all the same."""

    code = "deadline_passed"


class AlreadyCandidate(DomainError):
    """A student is a candidate for another rank in this exam already."""

    code = "already_candidate"


class TooManyCertificates(DomainError):
    """There are more certificates than fit into one file."""

    code = "too_many_certificates"


class NothingToPrint(DomainError):
    """There is no certificate to print."""

    code = "nothing_to_print"


class MissingGlyphs(DomainError):
    """No typeface has a glyph for some characters of this document.

    `details` names the characters in `missing_glyphs` and the texts that contain them in `texts`.
    """

    code = "missing_glyphs"
