"""What is decided about the candidates of an exam: by the rules, by their marks, by the number of examiners.

An exam that is finished is shown as it was decided: `attach_eligibility` returns what was stored then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from tatami.errors import DomainError
from tenant_apps.promotions.awards import AwardChecker, AwardDecision
from tenant_apps.promotions.check import Check, CheckResult
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import ExaminersMissing, MarksTooLow
from tenant_apps.promotions.models import Candidate, Decision, Exam
from tenant_apps.promotions.responses import eligibility_data
from tenant_apps.promotions.standing import WARNINGS
from tenant_apps.students.errors import OwnRankChange


@dataclass(frozen=True, slots=True)
class ExamChecker:
    """Decides about the candidates of an exam as of its date."""

    exam: Exam
    checker: AwardChecker
    results: Mapping[UUID, CheckResult]
    """The check result of each candidate."""

    @classmethod
    def of(cls, exam: Exam, candidates: Sequence[Candidate], *, by: User | None = None) -> Self:
        """Read what is needed to decide about `candidates`. A fixed number of statements.

        `by`: the user who decides, who cannot award themselves.
        """
        students = {one.student_id: one.student for one in candidates}
        check = Check(students=list(students.values()), as_of=exam.date, system=exam.rank_system)
        checker = AwardChecker.of(students, effective_on=exam.date, by=by, at_exam=True)
        results = {
            one.pk: checker.standing.applied_to(check.result(one.student, one.target)) for one in candidates
        }
        return cls(exam, checker, results)

    def decide(self, candidate: Candidate) -> AwardDecision:
        """Return the decision about an award: what `AwardChecker.decide` says, then marks, then examiners.

        A reason overrides marks and examiners, too.
        """
        result = self.results[candidate.pk]
        decision = self.checker.decide(result, override_reason=candidate.override_reason)
        if decision.error or candidate.override_reason:
            return decision
        return AwardDecision(result, "", self._marks_error(candidate) or self._examiners_error(candidate))

    def judged(self, candidate: Candidate) -> dict[str, Any]:
        """Return the check result with the warnings, in the shape of `JudgedEligibilitySerializer`."""
        return {**eligibility_data(self.results[candidate.pk]), "warnings": self._warnings(candidate)}

    def _warnings(self, candidate: Candidate) -> list[dict[str, str]]:
        """Return what would prevent the award without a reason: standing, the rules, the history, examiners."""
        result = self.results[candidate.pk]
        found = []
        standing = self.checker.standing.warning(result.student)
        if standing:
            found.append({"code": standing, "message": gettext(WARNINGS[standing])})
        error = self.checker.decide(result).error
        if error and not isinstance(error, OwnRankChange):
            code = "unknown" if _is_unknown(error, result) else error.code
            found.append({"code": code, "message": error.message})
        if missing := self._examiners_error(candidate):
            found.append({"code": missing.code, "message": missing.message})
        return found

    def _marks_error(self, candidate: Candidate) -> DomainError | None:
        rules = self._rules_of(candidate)
        low = rules.low_marks(candidate.marks)
        if not low:
            return None
        details = [
            {"technique": technique, "mark": mark, "pass_mark": rules.pass_mark}
            for technique, mark in low.items()
        ]
        return MarksTooLow(details={"marks": details})

    def _examiners_error(self, candidate: Candidate) -> DomainError | None:
        rules = self._rules_of(candidate)
        have = self.exam.count_examiners(rules.licence)
        if rules.examiners is None or have >= rules.examiners:
            return None
        if rules.licence:
            text = gettext("{rank} needs {need} examiners with the licence {licence}; this exam has {have}.")
        else:
            text = gettext("{rank} needs {need} examiners; this exam has {have}.")
        details = {"have": have, "need": rules.examiners, "licence": rules.licence}
        return ExaminersMissing(text.format(rank=candidate.target.name, **details), details=details)

    def _rules_of(self, candidate: Candidate) -> Any:
        return self.results[candidate.pk].rules.definition.exam_rules(candidate.target.code)


def _is_unknown(error: DomainError, result: CheckResult) -> bool:
    return error.code == "not_eligible" and result.step.status is Eligibility.UNKNOWN


def attach_eligibility(exam: Exam, candidates: Sequence[Candidate]) -> None:
    """Set `shown` of each candidate: what was decided, or how the candidate stands now. A fixed number of statements.

    `candidates` are of `exam`, with their students and targets. Awards of exams that were finished before the decision
    was stored with the candidate are shown from the decision about the award.
    """
    missing = []
    for candidate in candidates:
        if exam.finished_at is not None and candidate.decided is not None:
            candidate.shown = candidate.decided
        else:
            missing.append(candidate)
    if not missing:
        return
    checker = ExamChecker.of(exam, missing)
    prefetch_related_objects(missing, "event__decision__rules", "event__follows__rank")
    for candidate in missing:
        decision = getattr(candidate.event, "decision", None)
        shown = checker.judged(candidate)
        candidate.shown = _from_decision(candidate, decision, shown) if decision else shown


def _from_decision(candidate: Candidate, decision: Decision, now: dict[str, Any]) -> dict[str, Any]:
    before = candidate.event.follows if candidate.event else None
    return {
        **now,
        "current_rank": {"id": before.rank_id, "name": before.rank.name} if before else None,
        "status": decision.status,
        "path": decision.path,
        "earliest_on": None,
        "rule_version": decision.rules.version,
        "criteria": decision.criteria,
        "warnings": [],
    }
