"""Who may be promoted, as of a date: the one answer for the API and for all that will ask later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from uuid import UUID

from tenant_apps.promotions.engine import StepResult, evaluate
from tenant_apps.promotions.facts import FactsOfStudents
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.rules import CurrentRules, current_rules
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class Answer:
    """One step of one student: the engine's result, and what it is about."""

    student: Student
    rules: CurrentRules
    result: StepResult


@dataclass(frozen=True)
class Check:
    """A question about many students. Nine statements at most, whatever their number."""

    students: Sequence[Student]
    as_of: date
    system: RankSystem | None = None
    target: Rank | None = None

    def answers(self) -> list[Answer]:
        """Return one answer per student, rank system and promote step open from the rank held."""
        facts = FactsOfStudents(self.students)
        target = self.target.code if self.target else None
        found = []
        for student in self.students:
            for system in self._systems_of(student, facts):
                rules = self._rules[system.pk]
                steps = evaluate(rules.definition, facts.of(student, system), self.as_of, target=target)
                found += [Answer(student, rules, step) for step in steps]
        return found

    def _systems_of(self, student: Student, facts: FactsOfStudents) -> list[RankSystem]:
        systems = [rules.system for rules in self._rules.values()]
        return systems if self.system else facts.concerned(student, systems)

    @cached_property
    def _rules(self) -> dict[UUID, CurrentRules]:
        return {rules.system.pk: rules for rules in current_rules(only=self.system)}
