"""May this student be promoted, as of a date, and if not, what is missing and from when on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tenant_apps.promotions.engine.messages import ENGLISH, NO_STEP, Phrases, Reading
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, Status, StepResult
from tenant_apps.ranks.criteria import Candidacy, Criterion
from tenant_apps.ranks.definition import Path, RankDefinition, Step, StepType
from tenant_apps.ranks.facts import StudentFacts
from tenant_apps.ranks.holding import Holding, holdings
from tenant_apps.ranks.spans import (
    END,
    Spans,
    as_date,
    days_between,
    first_start_after,
    intersection,
    span_at,
    union,
)


def evaluate(
    rules: RankDefinition,
    facts: StudentFacts,
    as_of: date,
    *,
    target: str | None = None,
    phrases: Phrases = ENGLISH,
) -> tuple[StepResult, ...]:
    """One result per promote step open from the rank held as of a date, in the order of the rules.

    `as_of` is a civil date of the dojo (C1). With `target`, a rank's code: exactly one result, for the step
    of any type that leads there; where there is none, it is not eligible by the one criterion of kind
    "step". Pure: the same arguments give the same answer, whatever the order of the facts.
    """
    ranks = holdings(facts.rank_events, rules.order)
    now = _place_at(ranks, as_of.toordinal())
    held = ranks[now].rank
    name = None if held is None else rules.rank_name(held)
    case = _Case(facts, as_of.toordinal(), as_of, ranks, now, name, phrases)
    if target is None:
        return tuple(case.answer(step) for step in rules.steps_from(held) if step.type is StepType.PROMOTE)
    step = rules.step(held, target)
    return (case.answer(step) if step else case.no_step(target, rules.rank_name(target)),)


def rank_held(rules: RankDefinition, facts: StudentFacts, as_of: date) -> str | None:
    """The code of the rank held as of a date, by the same rule as the engine's; None for none."""
    ranks = holdings(facts.rank_events, rules.order)
    return ranks[_place_at(ranks, as_of.toordinal())].rank


def _place_at(ranks: Sequence[Holding], day: int) -> int:
    return next(place for place, holding in enumerate(ranks) if holding.since <= day <= holding.until)


@dataclass(frozen=True, slots=True)
class _PathAnswer:
    path: Path
    criteria: tuple[CriterionResult, ...]
    spans: Spans
    failing: int
    unknown: int

    def preference(self, after: int) -> tuple[bool, int, int]:
        """The least is the path to name: one that is met, else the earliest, else with the fewest failing.

        Equals keep the order of the rules. A path with an unknown criterion has no date.
        """
        first = None if self.unknown else first_start_after(self.spans, after)
        return self.failing > 0, END + 1 if first is None or not self.failing else first, self.failing


@dataclass(frozen=True, slots=True)
class _Case:
    """One student as of one date; `now` is the place of the rank held in `ranks`, `rank_name` its name."""

    facts: StudentFacts
    as_of: int
    as_of_date: date
    ranks: tuple[Holding, ...]
    now: int
    rank_name: str | None
    phrases: Phrases

    def answer(self, step: Step) -> StepResult:
        candidacy = self._candidacy(self.now)
        answers = [self._path(path, candidacy) for path in step.paths]
        # min() keeps the first of equals, which is the order of the rules.
        best = min(answers, key=lambda answer: answer.preference(self.as_of))
        open_days = union(*(answer.spans for answer in answers)) if len(answers) > 1 else best.spans
        run = span_at(open_days, self.as_of)
        earliest: int | None
        if run is not None:
            status, earliest = Eligibility.ELIGIBLE, self._open_since(step, run[0])
        elif best.unknown:
            status = Eligibility.UNKNOWN if best.unknown == best.failing else Eligibility.NOT_ELIGIBLE
            earliest = None
        else:
            status, earliest = Eligibility.NOT_ELIGIBLE, first_start_after(open_days, self.as_of)
        return StepResult(
            current_rank=step.origin,
            target_rank=step.to,
            step_type=step.type,
            status=status,
            path=best.path.name,
            earliest_on=as_date(earliest),
            criteria=best.criteria,
        )

    def no_step(self, target: str, target_name: str) -> StepResult:
        message = self.phrases[NO_STEP, Status.NOT_MET](
            target_name, Reading(self.rank_name, None, None, None)
        )
        criterion = CriterionResult(NO_STEP, Status.NOT_MET, None, None, None, message)
        held = self.ranks[self.now].rank
        return StepResult(held, target, None, Eligibility.NOT_ELIGIBLE, None, None, (criterion,))

    def _candidacy(self, place: int) -> Candidacy:
        return Candidacy(self.facts, self.ranks[place], self.as_of, self.as_of_date)

    def _path(self, path: Path, candidacy: Candidacy) -> _PathAnswer:
        holding = candidacy.holding
        spans = days_between(holding.since, holding.until)
        results = []
        failing = unknown = 0
        for criterion in path.criteria:
            result, when = self._criterion(criterion, candidacy)
            results.append(result)
            spans = intersection(spans, when)
            failing += result.status is not Status.MET
            unknown += result.status is Status.UNKNOWN
        return _PathAnswer(path, tuple(results), spans, failing, unknown)

    def _criterion(self, criterion: Criterion, candidacy: Candidacy) -> tuple[CriterionResult, Spans]:
        finding = criterion.finding(candidacy)
        span = span_at(finding.spans, self.as_of)
        if span is not None:
            status, earliest = Status.MET, as_date(span[0])
        elif finding.known:
            status, earliest = Status.NOT_MET, as_date(first_start_after(finding.spans, self.as_of))
        else:
            status, earliest = Status.UNKNOWN, None
        reading = Reading(self.rank_name, finding.have, finding.need, earliest)
        message = self.phrases[criterion.kind, status](criterion, reading)
        result = CriterionResult(criterion.kind, status, finding.have, finding.need, earliest, message)
        return result, finding.spans

    def _open_since(self, step: Step, first: int) -> int:
        """The first day of a run of days on which the step is open, `first` being it under the rank held now.

        A rank may be recorded twice in a row (imported, and imported again with a better date). The step is
        then the same before and after, so a run that begins with the later record may have begun under the
        earlier.
        """
        place = self.now
        while first == self.ranks[place].since and place > 0 and self.ranks[place - 1].rank == step.origin:
            place -= 1
            candidacy = self._candidacy(place)
            before = union(*(self._path(path, candidacy).spans for path in step.paths))
            run = span_at(before, first - 1)
            if run is None:
                break
            first = run[0]
        return first
