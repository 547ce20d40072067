"""Whether a student may be promoted as of a date, and if not, what is missing and from when it may be met."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Self

from tenant_apps.promotions.engine.messages import MESSAGES, NO_STEP, no_step
from tenant_apps.promotions.engine.messages.translated import use_active_language
from tenant_apps.promotions.engine.messages.wording import MessageContext
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, PathResult, Status, StepResult
from tenant_apps.ranks.criteria import Age, CountingStart, Criterion, CriterionInput, Finding, since_last_test
from tenant_apps.ranks.date_intervals import (
    END,
    Spans,
    as_date,
    days_between,
    first_start_after,
    intersection,
    span_at,
    union,
)
from tenant_apps.ranks.definition import Anchor, ClockSetting, Path, RankDefinition, Step, StepType
from tenant_apps.ranks.holding import Holding, holdings, without_sub_ranks
from tenant_apps.ranks.student_facts import RankEventKind, StudentFacts


def evaluate(
    rules: RankDefinition,
    facts: StudentFacts,
    as_of: date,
    *,
    targets: Collection[str] | None = None,
) -> tuple[StepResult, ...]:
    """Return a result for each rank and type of step that leads to it from the rank held, in the order of the rules.

    `as_of` is a civil date of the dojo (C1). With `targets` (codes of ranks), return one result for each of these ranks
    to which a step of any type leads. If no step leads to any of them, return one result, for the first of them: not
    eligible, with the one criterion of kind "step".

    Sentences are in the language that is active in Django. Pure apart from that: the same arguments return the same
    result, whatever the order of the facts.
    """
    use_active_language()
    history = History.of(rules, facts)
    held = history.rank_on(as_of.toordinal())
    steps = steps_from(rules, held)
    conversion = next((step.to for step in steps if step.type is StepType.CONVERT), None)
    if targets is not None:
        steps = tuple(step for step in steps if step.to in targets)
        if targets and not steps:
            return (_no_step(rules, held, next(iter(targets))),)
    return tuple(
        StepEvaluation(rules, facts, as_of, history, alike, held, conversion).result()
        for alike in _grouped(steps, by_type=targets is None)
    )


def rank_held(rules: RankDefinition, facts: StudentFacts, as_of: date) -> str | None:
    """Return the code of the rank held as of a date, as `evaluate` determines it; None for none."""
    return History.of(rules, facts).rank_on(as_of.toordinal())


def steps_from(rules: RankDefinition, held: str | None) -> tuple[Step, ...]:
    """Return the steps from a rank.

    From a sub-rank, the steps from the rank that it is part of are included, except those to sub-ranks of that rank: a
    student with the second stripe does not need the first one.
    """
    steps = rules.steps_from(held)
    sub_rank = rules.sub_ranks.get(held or "")
    if sub_rank is None:
        return steps
    onwards = (step for step in rules.steps_from(sub_rank.of) if not rules.is_to_a_sub_rank(step))
    return (*steps, *onwards)


def _grouped(steps: Iterable[Step], *, by_type: bool) -> Iterable[tuple[Step, ...]]:
    """Group the steps by target rank: one step, or one from a stripe and one from the rank that it is on.

    With `by_type`, a skip to a rank and the ordinary step to it are different groups.
    """
    found: dict[tuple[str, StepType | None], tuple[Step, ...]] = {}
    for step in steps:
        key = (step.to, step.type if by_type else None)
        found[key] = (*found.get(key, ()), step)
    return found.values()


def _no_step(rules: RankDefinition, held: str | None, target: str) -> StepResult:
    message = no_step(None if held is None else rules.rank_name(held), rules.rank_name(target))
    criterion = CriterionResult(NO_STEP, Status.NOT_MET, None, None, None, message)
    return StepResult(held, target, Eligibility.NOT_ELIGIBLE, None, (criterion,))


@dataclass(frozen=True, slots=True)
class History:
    """A student's rank history as the rules see it: which rank is held when, and from when waits and counts start.

    `with_sub_ranks` lists every rank held, one after the other. In `held`, sub-ranks are part of their ranks.
    """

    rules: RankDefinition
    with_sub_ranks: tuple[Holding, ...]
    held: tuple[Holding, ...]

    @classmethod
    def of(cls, rules: RankDefinition, facts: StudentFacts) -> Self:
        all_ranks = holdings(facts.rank_events, rules.order)
        return cls(rules, all_ranks, without_sub_ranks(all_ranks, rules.sub_ranks))

    def rank_on(self, day: int) -> str | None:
        """Return the code of the rank held on a day (an ordinal); None for none."""
        return self.with_sub_ranks[index_at(self.with_sub_ranks, day)].rank

    def origin_history(self, step: Step) -> tuple[Holding, ...]:
        """Return the history in which the step's origin is found: with sub-ranks for steps to or from a sub-rank."""
        if step.origin in self.rules.sub_ranks or self.rules.is_to_a_sub_rank(step):
            return self.with_sub_ranks
        return self.held

    def counting_start(self, ranks: Sequence[Holding], index: int) -> CountingStart:
        """Return the event from which waits and counts of `ranks[index]` start: normally the rank's own event.

        A conversion by a step with the setting "carries" does not restart them.
        """
        while ranks[index].kind is RankEventKind.CONVERT:
            before, after = ranks[index - 1].rank, ranks[index].rank
            step = None if before is None or after is None else self.rules.step(before, after)
            if step is None or step.clock is not ClockSetting.CARRIES:
                break
            index -= 1
        holding = ranks[index]
        if holding.rank is None:
            return CountingStart(None, None)
        return CountingStart(holding.since, holding.kind, holding.rank)


def index_at(ranks: Sequence[Holding], day: int) -> int:
    """Return the index of the rank held on a day (an ordinal)."""
    return next(index for index, holding in enumerate(ranks) if holding.since <= day <= holding.until)


class _PathFindings(NamedTuple):
    step: Step
    path: Path
    data: CriterionInput
    findings: list[tuple[Criterion, Finding, Status]]
    spans: Spans
    failing: int
    unknown: int

    def preference(self, after: int) -> tuple[bool, int, int]:
        """Return a sort key; the least one is the path that the result names.

        This is a path that is met, else the path that is met first, else the path with the fewest unmet criteria.
        A path with an unknown criterion has no date.
        """
        first = None if self.unknown else first_start_after(self.spans, after)
        return self.failing > 0, END + 1 if first is None or not self.failing else first, self.failing

    def is_too_old(self) -> bool:
        """Return whether the student is older than an age criterion of the path admits."""
        return any(isinstance(one, Age) and one.is_exceeded(finding) for one, finding, _ in self.findings)


@dataclass(frozen=True, slots=True)
class StepEvaluation:
    """The evaluation of one target rank for one student as of one date.

    `held` is the code of the rank held as of the date; `steps` lead from it to the target. One path of one step is
    enough: a student with a stripe may take the steps from the stripe and those from the rank that it is on.
    `conversion` is the rank to which a conversion leads from the rank held.
    """

    rules: RankDefinition
    facts: StudentFacts
    as_of_date: date
    history: History
    steps: tuple[Step, ...]
    held: str | None
    conversion: str | None

    def result(self) -> StepResult:
        """Return the result, with the criteria of each path."""
        as_of = self.as_of_date.toordinal()
        # The sort is stable: equal paths keep the order of the rules.
        paths = sorted(
            (path for step in self.steps for path in self._paths(step, self._index(step))),
            key=lambda path: path.preference(as_of),
        )
        best = paths[0]
        open_days = union(*(path.spans for path in paths)) if len(paths) > 1 else best.spans
        status, earliest = self._status(open_days, paths)
        suggested = None
        if status is not Eligibility.ELIGIBLE and best.step.type is StepType.PROMOTE and best.is_too_old():
            suggested = self.conversion
        results: tuple[PathResult, ...]
        if len(paths) == 1:
            results = (self._path_result(best, suggested, status, earliest),)
        else:
            results = tuple(
                self._path_result(path, suggested, *self._status(path.spans, [path])) for path in paths
            )
        return StepResult(
            current_rank=self.held,
            target_rank=best.step.to,
            status=status,
            earliest_on=as_date(earliest),
            criteria=results[0].criteria,
            paths=results,
            suggested_rank=suggested,
        )

    def _status(self, open_days: Spans, paths: Sequence[_PathFindings]) -> tuple[Eligibility, int | None]:
        """Return the status of some paths together, the best first, and the day from which one is open."""
        as_of = self.as_of_date.toordinal()
        run = span_at(open_days, as_of)
        if run is not None:
            return Eligibility.ELIGIBLE, self._open_since(run[0], paths)
        best = paths[0]
        if best.unknown:
            only_unknown = best.unknown == best.failing
            return Eligibility.UNKNOWN if only_unknown else Eligibility.NOT_ELIGIBLE, None
        return Eligibility.NOT_ELIGIBLE, first_start_after(open_days, as_of)

    def _path_result(
        self, path: _PathFindings, suggested: str | None, status: Eligibility, earliest: int | None
    ) -> PathResult:
        return PathResult(
            name=path.path.name,
            step_type=path.step.type,
            status=status,
            earliest_on=as_date(earliest),
            criteria=tuple(self._result(path.data, suggested, *found) for found in path.findings),
        )

    def _index(self, step: Step) -> int:
        return index_at(self.history.origin_history(step), self.as_of_date.toordinal())

    def _paths(self, step: Step, index: int) -> list[_PathFindings]:
        data = self._criterion_input(step, index)
        return [self._path(step, path, data) for path in step.paths]

    def _criterion_input(self, step: Step, index: int) -> CriterionInput:
        ranks = self.history.origin_history(step)
        return CriterionInput(
            facts=self.facts,
            holding=ranks[index],
            counting_start=self.history.counting_start(ranks, index),
            history=self.history.with_sub_ranks,
            as_of=self.as_of_date.toordinal(),
            as_of_date=self.as_of_date,
            order=self.rules.order,
            sub_ranks=self.rules.sub_ranks,
        )

    def _path(self, step: Step, path: Path, data: CriterionInput) -> _PathFindings:
        spans = days_between(data.holding.since, data.holding.until)
        findings = []
        failing = unknown = 0
        for criterion in path.criteria:
            finding = self._finding(step, criterion, data)
            if span_at(finding.spans, data.as_of) is not None:
                status = Status.MET
            else:
                failing += 1
                unknown += not finding.known
                status = Status.NOT_MET if finding.known else Status.UNKNOWN
            findings.append((criterion, finding, status))
            spans = intersection(spans, finding.spans)
        return _PathFindings(step, path, data, findings, spans, failing, unknown)

    def _finding(self, step: Step, criterion: Criterion, data: CriterionInput) -> Finding:
        if step.anchor is Anchor.LAST_TEST and criterion.restarts_after_test:
            return since_last_test(criterion.finding, data)
        return criterion.finding(data)

    def _result(
        self,
        data: CriterionInput,
        suggested: str | None,
        criterion: Criterion,
        finding: Finding,
        status: Status,
    ) -> CriterionResult:
        earliest = None
        if status is Status.MET:
            run = span_at(finding.spans, data.as_of)
            earliest = as_date(run[0]) if run else None
        elif status is Status.NOT_MET:
            earliest = as_date(first_start_after(finding.spans, data.as_of))
        context = MessageContext(data, finding, earliest, self.rules.rank_name, suggested)
        message = MESSAGES[criterion.kind, status](criterion, context)
        return CriterionResult(criterion.kind, status, finding.have, finding.need, earliest, message)

    def _open_since(self, first: int, paths: Sequence[_PathFindings]) -> int:
        """Return the first day of the run of days on which one of the paths is open.

        `first` is that day within the current record of the rank held. A rank may be recorded twice in a row (imported,
        and imported again with a better date). The steps are then the same before and after, so a run that starts with
        the later record may have started within the earlier one.
        """
        steps = {path.step.origin: path.step for path in paths}.values()
        earlier = [
            found
            for step in steps
            for index in self._repeated_records(step)
            for found in self._paths(step, index)
        ]
        if not earlier:
            return first
        named = {(path.step.origin, path.path.name) for path in paths}
        spans = [path.spans for path in paths]
        spans += [one.spans for one in earlier if (one.step.origin, one.path.name) in named]
        run = span_at(union(*spans), first)
        return first if run is None else run[0]

    def _repeated_records(self, step: Step) -> Iterator[int]:
        """Return the indexes of the records of the rank held that directly precede the current one."""
        ranks, index = self.history.origin_history(step), self._index(step)
        while index > 0 and ranks[index - 1].rank == step.origin:
            index -= 1
            yield index
