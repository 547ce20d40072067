"""Who may be promoted as of a date: the same check for the API, batches, exams and the nightly snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from uuid import UUID

from tenant_apps.promotions.engine import StepResult, evaluate
from tenant_apps.promotions.facts import PrefetchedFacts
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
    def current_rank_name(self) -> str:
        """The name of the rank that the student holds; empty for none."""
        held = self.rules.ranks.get(self.step.current_rank or "")
        return held.name if held else ""


@dataclass(frozen=True)
class Check:
    """A check of many students. It takes at most nine statements, whatever their number.

    It covers the rank systems in use, or only `system`. The systems of `named` ranks are covered although they were
    archived since: what was begun in a rank system can be finished in it.
    """

    students: Sequence[Student]
    as_of: date
    """A civil date of the dojo."""
    system: RankSystem | None = None
    target: Rank | None = None
    named: Collection[UUID] = ()

    def results(self) -> list[CheckResult]:
        """Return one result for each student, rank system and rank to which promote steps lead from the rank held.

        With `target`, return one result for each student and rank system, for that rank, whatever type of step leads to
        it.
        """
        target = self.target.code if self.target else None
        return [
            CheckResult(student, rules, step)
            for student in self.students
            for rules in self._rules_for(student)
            for step in evaluate(
                rules.definition, self._facts.of(student, rules.system), self.as_of, target=target
            )
        ]

    def result(self, student: Student, target: Rank) -> CheckResult:
        """Return the result for one of the students and one rank, whatever type of step leads to it.

        The rank is one of `named`, or of a system in use.
        """
        rules = self._rules[target.system_id]
        facts = self._facts.of(student, rules.system)
        (step,) = evaluate(rules.definition, facts, self.as_of, target=target.code)
        return CheckResult(student, rules, step)

    def _rules_for(self, student: Student) -> list[RulesInForce]:
        all_rules = list(self._rules.values())
        if self.system:
            return all_rules
        systems = self._facts.systems_of(student, [rules.system for rules in all_rules])
        return [self._rules[system.pk] for system in systems]

    @cached_property
    def _facts(self) -> PrefetchedFacts:
        return PrefetchedFacts(self.students)

    @cached_property
    def _rules(self) -> dict[UUID, RulesInForce]:
        found = rules_in_force(on=self.as_of, only=self.system, named=self.named)
        return {rules.system.pk: rules for rules in found}
