"""May this student be promoted, as of a date, and if not, what is missing and from when on?"""

from collections.abc import Iterable
from datetime import date

from tenant_apps.promotions.engine.case import Case
from tenant_apps.promotions.engine.english import ENGLISH
from tenant_apps.promotions.engine.history import History
from tenant_apps.promotions.engine.phrases import NO_STEP, Phrases, Reading
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, Status, StepResult
from tenant_apps.ranks.definition import RankDefinition, Step, StepType
from tenant_apps.ranks.student_facts import StudentFacts


def evaluate(
    rules: RankDefinition,
    facts: StudentFacts,
    as_of: date,
    *,
    target: str | None = None,
    phrases: Phrases = ENGLISH,
) -> tuple[StepResult, ...]:
    """One result per rank to which promote steps lead from the rank held as of a date, in the order of the rules.

    `as_of` is a civil date of the dojo (C1). With `target`, a rank's code: exactly one result, for the steps
    of any type that lead there; where there is none, it is not eligible by the one criterion of kind
    "step". Pure: the same arguments give the same answer, whatever the order of the facts.
    """
    history = History.of(rules, facts)
    held = history.rank_on(as_of.toordinal())
    steps = steps_from(rules, held)
    if target is None:
        steps = tuple(step for step in steps if step.type is StepType.PROMOTE)
    else:
        steps = tuple(step for step in steps if step.to == target)
        if not steps:
            return (_no_step(rules, held, target, phrases),)
    return tuple(
        Case(rules, facts, as_of, history, leading, held, phrases).answer() for leading in _by_target(steps)
    )


def rank_held(rules: RankDefinition, facts: StudentFacts, as_of: date) -> str | None:
    """The code of the rank held as of a date, by the same rule as the engine's; None for none."""
    return History.of(rules, facts).rank_on(as_of.toordinal())


def steps_from(rules: RankDefinition, held: str | None) -> tuple[Step, ...]:
    """The steps open to a holder of that rank. With a sub-rank also those from the rank that it is part of,
    but to that rank's sub-ranks: who wears the second stripe is past the first."""
    steps = rules.steps_from(held)
    sub_rank = rules.sub_ranks.get(held or "")
    if sub_rank is None:
        return steps
    onwards = (step for step in rules.steps_from(sub_rank.of) if not rules.is_to_a_sub_rank(step))
    return (*steps, *onwards)


def _by_target(steps: Iterable[Step]) -> Iterable[tuple[Step, ...]]:
    """The steps that lead to one rank together: one, or that from a stripe and that from the rank it is on."""
    found: dict[str, tuple[Step, ...]] = {}
    for step in steps:
        found[step.to] = (*found.get(step.to, ()), step)
    return found.values()


def _no_step(rules: RankDefinition, held: str | None, target: str, phrases: Phrases) -> StepResult:
    name = None if held is None else rules.rank_name(held)
    reading = Reading(name, None, None, None, rules.rank_name)
    message = phrases[NO_STEP, Status.NOT_MET](rules.rank_name(target), reading)
    criterion = CriterionResult(NO_STEP, Status.NOT_MET, None, None, None, message)
    return StepResult(held, target, None, Eligibility.NOT_ELIGIBLE, None, None, (criterion,))
