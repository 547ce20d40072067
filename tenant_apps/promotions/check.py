"""Who may be promoted, as of a date: the one answer for the API, batches, exams and the nightly snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from uuid import UUID

from tenant_apps.promotions.engine import StepResult, evaluate
from tenant_apps.promotions.facts import FactsOfStudents
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.services import RulesInForce, rules_in_force
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class Answer:
    """One rank that a student may seek: the engine's result, and what it is about."""

    student: Student
    rules: RulesInForce
    result: StepResult

    @property
    def target(self) -> Rank:
        """The rank sought."""
        return self.rules.ranks[self.result.target_rank]

    @property
    def current_rank_name(self) -> str:
        """The name of the rank held; empty for none."""
        held = self.rules.ranks.get(self.result.current_rank or "")
        return held.name if held else ""


@dataclass(frozen=True)
class Check:
    """A question about many students. Nine statements at most, whatever their number.

    It is about rank systems in use, about the one `system`, and about those of `named` ranks, though they were archived
    since: what was begun in a rank system is finished in it.
    """

    students: Sequence[Student]
    as_of: date
    system: RankSystem | None = None
    target: Rank | None = None
    named: Collection[UUID] = ()

    def answers(self) -> list[Answer]:
        """Return one answer per student, rank system and rank to which promote steps lead from the one held."""
        target = self.target.code if self.target else None
        return [
            Answer(student, rules, step)
            for student in self.students
            for rules in self._rules_for(student)
            for step in evaluate(
                rules.definition, self._facts.of(student, rules.system), self.as_of, target=target
            )
        ]

    def answer(self, student: Student, target: Rank) -> Answer:
        """Return the answer for one of the students and a rank, `named` or of a system in use.

        Whatever type of step leads there.
        """
        rules = self._rules[target.system_id]
        facts = self._facts.of(student, rules.system)
        (step,) = evaluate(rules.definition, facts, self.as_of, target=target.code)
        return Answer(student, rules, step)

    def _rules_for(self, student: Student) -> list[RulesInForce]:
        every = list(self._rules.values())
        if self.system:
            return every
        return [
            self._rules[system.pk]
            for system in self._facts.concerned(student, [rules.system for rules in every])
        ]

    @cached_property
    def _facts(self) -> FactsOfStudents:
        return FactsOfStudents(self.students)

    @cached_property
    def _rules(self) -> dict[UUID, RulesInForce]:
        found = rules_in_force(on=self.as_of, only=self.system, named=self.named)
        return {rules.system.pk: rules for rules in found}
