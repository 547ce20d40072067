"""Who may be promoted as of a date: the same check for the API, batches, exams and the nightly snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from uuid import UUID

from django.utils import translation

from tenant_apps.promotions.engine import StepResult, evaluate
from tenant_apps.promotions.facts import PrefetchedFacts
from tenant_apps.ranks.criteria import AttendanceRate
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.services import RulesInForce, rules_in_force
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class CheckResult:
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
    """A check of many students. It takes at most eleven statements, whatever their number.

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
        codes: dict[UUID, list[str]] = {}
        for target in self.targets:
            codes.setdefault(target.system_id, []).append(target.code)
        with translation.override(self._facts.language):
            return [
                CheckResult(student, rules, step)
                for student in self.students
                for rules in self._rules_for(student, codes)
                for step in evaluate(
                    rules.definition,
                    self._facts.of(student, rules.system),
                    self.as_of,
                    targets=codes.get(rules.system.pk),
                )
            ]

    def result(self, student: Student, target: Rank) -> CheckResult:
        """Return the result for one of the students and one rank, whatever type of step leads to it.

        The rank is one of `named`, or of a system in use.
        """
        rules = self._rules[target.system_id]
        facts = self._facts.of(student, rules.system)
        with translation.override(self._facts.language):
            (step,) = evaluate(rules.definition, facts, self.as_of, targets=[target.code])
        return CheckResult(student, rules, step)

    def _rules_for(self, student: Student, wanted: Collection[UUID]) -> list[RulesInForce]:
        all_rules = list(self._rules.values())
        if wanted:
            return [rules for rules in all_rules if rules.system.pk in wanted]
        if self.system:
            return all_rules
        systems = self._facts.systems_of(student, [rules.system for rules in all_rules])
        return [self._rules[system.pk] for system in systems]

    @cached_property
    def _facts(self) -> PrefetchedFacts:
        asks_for_rate = any(rules.definition.uses(AttendanceRate) for rules in self._rules.values())
        return PrefetchedFacts(self.students, with_sessions=asks_for_rate)

    @cached_property
    def _rules(self) -> dict[UUID, RulesInForce]:
        named = {*self.named, *(target.pk for target in self.targets)}
        found = rules_in_force(on=self.as_of, only=self.system, named=named)
        return {rules.system.pk: rules for rules in found}
