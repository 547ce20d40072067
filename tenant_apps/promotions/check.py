"""Who may be promoted as of a date: the same check for the API, batches, exams and the nightly snapshot."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from django.utils import translation

from tenant_apps.promotions.engine import Evaluator, StepResult
from tenant_apps.promotions.facts import PrefetchedFacts
from tenant_apps.ranks.criteria import AttendanceRate
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.services import RulesInForce, rules_in_force
from tenant_apps.students.models import Student


class CheckResult(NamedTuple):
    """The engine's result for one student and one target rank, with the student and the rules that it is about."""

    student: Student
    rules: RulesInForce
    step: StepResult

    @property
    def target(self) -> Rank:
        """The target rank."""
        return self.rules.ranks[self.step.target_rank]

    @property
    def is_promotion(self) -> bool:
        """Whether it is about the ordinary step up, not a skip or a conversion, which someone has to ask for."""
        return self.step.step_type is StepType.PROMOTE

    @property
    def suggested(self) -> Rank | None:
        """The rank of a conversion, for a student who is too old for the step."""
        return self.rules.ranks.get(self.step.suggested_rank or "")

    @property
    def current_rank_name(self) -> str:
        """The name of the rank that the student holds; empty for none."""
        held = self.rules.ranks.get(self.step.current_rank or "")
        return held.name if held else ""


@dataclass(frozen=True)
class Check:
    """A check of many students. It takes at most eight statements, whatever their number.

    It covers the rank systems in use, or only `system`. The systems of `named` ranks are covered although they were
    archived since: what was begun in a rank system can be finished in it. Messages are in the language of the dojo.
    """

    students: Sequence[Student]
    as_of: date
    """A civil date of the dojo."""
    system: RankSystem | None = None
    targets: Sequence[Rank] = ()
    named: Collection[UUID] = ()

    def results(self) -> list[CheckResult]:
        """Return one result for each student, rank system and rank to which steps of any type lead from the rank held.

        With `targets`, return results for these ranks only, in their rank systems only. If no step leads a student to
        any of them in a system, the one result there says so.
        """
        return list(self.each())

    def each(self) -> Iterator[CheckResult]:
        """Yield the same results one after the other, so that the caller need not keep all of them in memory.

        All statements are sent before the first result.
        """
        codes: dict[UUID, list[str]] = {}
        for target in self.targets:
            codes.setdefault(target.system_id, []).append(target.code)
        return self._each(
            self._facts,
            {
                rules.system.pk: self._evaluator(rules, *codes.get(rules.system.pk, ()))
                for rules in self._rules.values()
                if not codes or rules.system.pk in codes
            },
        )

    def result(self, student: Student, target: Rank) -> CheckResult:
        """Return the result for one of the students and one rank, whatever type of step leads to it.

        The rank is one of `named`, or of a system in use.
        """
        rules = self._rules[target.system_id]
        (step,) = self._evaluator(rules, target.code).results(self._facts.of(student, rules.system))
        return CheckResult(student, rules, step)

    def _each(self, facts: PrefetchedFacts, evaluators: Mapping[UUID, Evaluator]) -> Iterator[CheckResult]:
        all_systems = [self._rules[system].system for system in evaluators]
        for student in self.students:
            systems = facts.systems_of(student, all_systems) if self._depends_on_student else all_systems
            for system in systems:
                rules, evaluator = self._rules[system.id], evaluators[system.id]
                for step in evaluator.results(facts.of(student, system)):
                    yield CheckResult(student, rules, step)

    def _evaluator(self, rules: RulesInForce, *targets: str) -> Evaluator:
        """Return the evaluator of the rules for the ranks with these codes, or for all ranks. It is made once."""
        found = self._evaluators.get((rules.id, targets))
        if found is None:
            with translation.override(self._facts.language):
                found = Evaluator(rules.definition, self.as_of, targets=targets or None)
            self._evaluators[rules.id, targets] = found
        return found

    @cached_property
    def _evaluators(self) -> dict[tuple[UUID, tuple[str, ...]], Evaluator]:
        return {}

    @cached_property
    def _facts(self) -> PrefetchedFacts:
        asks_for_rate = any(rules.definition.uses(AttendanceRate) for rules in self._rules.values())
        return PrefetchedFacts(
            self.students, with_sessions=asks_for_rate, with_disciplines=self._depends_on_student
        )

    @cached_property
    def _depends_on_student(self) -> bool:
        """Whether a student is checked in some of the rank systems only: those of their ranks and classes."""
        return not self.targets and self.system is None and len(self._rules) > 1

    @cached_property
    def _rules(self) -> dict[UUID, RulesInForce]:
        named = {*self.named, *(target.pk for target in self.targets)}
        found = rules_in_force(on=self.as_of, only=self.system, named=named)
        return {rules.system.pk: rules for rules in found}
