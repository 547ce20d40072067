"""Whether a student may be promoted as of a date, and if not, what is missing and from when it may be met."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Final, NamedTuple, Self

from tenant_apps.promotions.engine.messages import MESSAGES, NO_STEP, no_step
from tenant_apps.promotions.engine.messages.translated import active_language, use_language
from tenant_apps.promotions.engine.messages.wording import Message, MessageContext
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, PathResult, Status, StepResult
from tenant_apps.ranks.criteria import (
    ALWAYS_IN_GOOD_STANDING,
    Age,
    CountingStart,
    Criterion,
    CriterionInput,
    Finding,
    since_last_test,
)
from tenant_apps.ranks.date_intervals import (
    END,
    Span,
    Spans,
    as_date,
    days_between,
    first_start_after,
    intersection,
    span_at,
    union,
)
from tenant_apps.ranks.definition import Anchor, ClockSetting, RankDefinition, Step, StepType
from tenant_apps.ranks.holding import Holding, holdings, without_sub_ranks
from tenant_apps.ranks.student_facts import RankEventKind, StudentFacts


def evaluate(
    rules: RankDefinition,
    facts: StudentFacts,
    as_of: date,
    *,
    targets: Collection[str] | None = None,
) -> tuple[StepResult, ...]:
    """Return the results of one student (see `Evaluator`)."""
    return Evaluator(rules, as_of, targets=targets).results(facts)


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


class History(NamedTuple):
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

    def ranks(self, *, with_sub_ranks: bool) -> tuple[Holding, ...]:
        """Return the ranks held, one after the other."""
        return self.with_sub_ranks if with_sub_ranks else self.held

    def rank_on(self, day: int) -> str | None:
        """Return the code of the rank held on a day (an ordinal); None for none."""
        return self.with_sub_ranks[index_at(self.with_sub_ranks, day)].rank

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
            return _NO_START
        return CountingStart(holding.since, holding.kind, holding.rank)


_NO_START: Final = CountingStart(None, None)


def index_at(ranks: Sequence[Holding], day: int) -> int:
    """Return the index of the rank held on a day (an ordinal). The ranks cover all days."""
    index = len(ranks) - 1
    while day < ranks[index].since:
        index -= 1
    return index


class _CriterionPlan(NamedTuple):
    """A criterion of a path, the function that evaluates it, and those that write its messages."""

    criterion: Criterion
    finding: Callable[[CriterionInput], Finding]
    met: Message
    not_met: Message
    unknown: Message


class _PathPlan(NamedTuple):
    """A path of a step.

    `with_sub_ranks`: the step leads to or from a sub-rank, so its origin is found in the history with sub-ranks.
    `ages`: the criteria about age, with their places.
    """

    step: Step
    name: str
    with_sub_ranks: bool
    criteria: tuple[_CriterionPlan, ...]
    ages: tuple[tuple[int, Age], ...]


class _Plan(NamedTuple):
    """What is evaluated for students who hold a rank: for each target rank all paths that lead to it.

    One path of one step is enough: a student with a stripe may take the steps from the stripe and those from the rank
    that it is on. `conversion` is the rank to which a conversion leads. `none` is the result if no step leads to any of
    the targets that were asked for.
    """

    targets: tuple[tuple[_PathPlan, ...], ...] = ()
    conversion: str | None = None
    none: tuple[StepResult, ...] = ()


_CriterionFinding = tuple[_CriterionPlan, Finding, Status, Span | None]
"""A criterion, what it found, its status, and the days on which it is met without interruption, the date asked among
them. A plain tuple: there is one for each criterion of each student."""


class _PathFindings(NamedTuple):
    path: _PathPlan
    data: CriterionInput
    findings: list[_CriterionFinding]
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
        return any(age.is_exceeded(self.findings[place][1]) for place, age in self.path.ages)


class _Student(NamedTuple):
    facts: StudentFacts
    history: History
    held: str | None
    """The rank held as of the date."""


class Evaluator:
    """The evaluation of any number of students by the same rules, as of the same date.

    `as_of` is a civil date of the dojo (C1). Without `targets` there is a result for each rank and type of step that
    leads to it from the rank held, in the order of the rules. With `targets` (codes of ranks), there is one for each of
    these ranks to which a step of any type leads. If no step leads to any of them, there is one result, for the first
    of them: not eligible, with the one criterion of kind "step".

    Sentences are in the language that is active in Django when the evaluator is created. Pure apart from that: the same
    facts give the same results, whatever their order and whichever students were evaluated before.
    """

    def __init__(self, rules: RankDefinition, as_of: date, *, targets: Collection[str] | None = None) -> None:
        self._rules = rules
        self._as_of_date = as_of
        self._as_of = as_of.toordinal()
        self._targets = targets
        self._language = active_language()
        self._plans: dict[str | None, _Plan] = {}
        """By the rank held."""
        self._good_standing: CriterionResult | None = None
        """The same for most students."""

    def results(self, facts: StudentFacts) -> tuple[StepResult, ...]:
        """Return the results of a student."""
        use_language(self._language)
        history = History.of(self._rules, facts)
        student = _Student(facts, history, history.rank_on(self._as_of))
        plan = self._plans.get(student.held)
        if plan is None:
            plan = self._plans[student.held] = self._plan(student.held)
        return plan.none or tuple([self._result(student, one, plan.conversion) for one in plan.targets])

    # --- what is evaluated for holders of a rank ----------------------------------------------------------------------

    def _plan(self, held: str | None) -> _Plan:
        steps = steps_from(self._rules, held)
        conversion = next((step.to for step in steps if step.type is StepType.CONVERT), None)
        if self._targets is not None:
            steps = tuple(step for step in steps if step.to in self._targets)
            if self._targets and not steps:
                return _Plan(none=(self._no_step(held, next(iter(self._targets))),))
        # Without targets, a skip to a rank and the ordinary step to it have a result each.
        found: dict[tuple[str, StepType | None], list[_PathPlan]] = {}
        for step in steps:
            key = (step.to, step.type if self._targets is None else None)
            found.setdefault(key, []).extend(self._path_plans(step))
        return _Plan(tuple(map(tuple, found.values())), conversion)

    def _path_plans(self, step: Step) -> Iterator[_PathPlan]:
        with_sub_ranks = step.origin in self._rules.sub_ranks or self._rules.is_to_a_sub_rank(step)
        for path in step.paths:
            criteria = tuple(_criterion_plan(step, criterion) for criterion in path.criteria)
            ages = tuple((place, one) for place, one in enumerate(path.criteria) if isinstance(one, Age))
            yield _PathPlan(step, path.name, with_sub_ranks, criteria, ages)

    def _no_step(self, held: str | None, target: str) -> StepResult:
        names = self._rules.rank_name
        message = no_step(None if held is None else names(held), names(target))
        criterion = CriterionResult(NO_STEP, Status.NOT_MET, None, None, None, message)
        return StepResult(held, target, Eligibility.NOT_ELIGIBLE, None, (criterion,))

    # --- one student, one target rank ---------------------------------------------------------------------------------

    def _result(self, student: _Student, paths: Sequence[_PathPlan], conversion: str | None) -> StepResult:
        found = [self._path(path, student) for path in paths]
        several = len(found) > 1
        if several:
            # The sort is stable: equal paths keep the order of the rules.
            found.sort(key=lambda path: path.preference(self._as_of))
        best = found[0]
        open_days = union(*(path.spans for path in found)) if several else best.spans
        status, earliest = self._status(student, open_days, found)
        suggested = None
        if (
            conversion is not None
            and status is not Eligibility.ELIGIBLE
            and best.path.step.type is StepType.PROMOTE
            and best.is_too_old()
        ):
            suggested = conversion
        results: tuple[PathResult, ...]
        if several:
            results = tuple(
                self._path_result(path, suggested, *self._status(student, path.spans, [path]))
                for path in found
            )
        else:
            results = (self._path_result(best, suggested, status, earliest),)
        criteria, target = results[0].criteria, best.path.step.to
        return StepResult(student.held, target, status, as_date(earliest), criteria, results, suggested)

    def _input(self, student: _Student, ranks: Sequence[Holding], index: int) -> CriterionInput:
        return CriterionInput(
            student.facts,
            ranks[index],
            student.history.counting_start(ranks, index),
            student.history.with_sub_ranks,
            self._as_of,
            self._as_of_date,
            self._rules.order,
            self._rules.sub_ranks,
        )

    def _path(self, path: _PathPlan, student: _Student, index: int | None = None) -> _PathFindings:
        """Evaluate the criteria of a path: for the record of the rank held, or for the one with this index."""
        ranks = student.history.ranks(with_sub_ranks=path.with_sub_ranks)
        data = self._input(student, ranks, index_at(ranks, self._as_of) if index is None else index)
        spans = days_between(data.holding.since, data.holding.until)
        findings: list[_CriterionFinding] = []
        failing = unknown = 0
        for plan in path.criteria:
            finding = plan.finding(data)
            run = span_at(finding.spans, self._as_of)
            if run is not None:
                status = Status.MET
            else:
                failing += 1
                unknown += not finding.known
                status = Status.NOT_MET if finding.known else Status.UNKNOWN
            findings.append((plan, finding, status, run))
            spans = intersection(spans, finding.spans)
        return _PathFindings(path, data, findings, spans, failing, unknown)

    def _status(
        self, student: _Student, open_days: Spans, paths: Sequence[_PathFindings]
    ) -> tuple[Eligibility, int | None]:
        """Return the status of some paths together, the best first, and the day from which one is open."""
        run = span_at(open_days, self._as_of)
        if run is not None:
            return Eligibility.ELIGIBLE, self._open_since(student, run[0], paths)
        best = paths[0]
        if best.unknown:
            only_unknown = best.unknown == best.failing
            return Eligibility.UNKNOWN if only_unknown else Eligibility.NOT_ELIGIBLE, None
        return Eligibility.NOT_ELIGIBLE, first_start_after(open_days, self._as_of)

    def _path_result(
        self, found: _PathFindings, suggested: str | None, status: Eligibility, earliest: int | None
    ) -> PathResult:
        criteria = tuple([self._criterion_result(found.data, suggested, one) for one in found.findings])
        return PathResult(found.path.name, found.path.step.type, status, as_date(earliest), criteria)

    def _criterion_result(
        self, data: CriterionInput, suggested: str | None, found: _CriterionFinding
    ) -> CriterionResult:
        plan, finding, status, run = found
        if finding is ALWAYS_IN_GOOD_STANDING and self._good_standing is not None:
            return self._good_standing
        earliest = None
        if run is not None:
            earliest, message = as_date(run[0]), plan.met
        elif status is Status.NOT_MET:
            earliest, message = as_date(first_start_after(finding.spans, self._as_of)), plan.not_met
        else:
            message = plan.unknown
        context = MessageContext(data, finding, earliest, self._rules.rank_name, suggested)
        text = message(plan.criterion, context)
        result = CriterionResult(plan.criterion.kind, status, finding.have, finding.need, earliest, text)
        if finding is ALWAYS_IN_GOOD_STANDING:
            self._good_standing = result
        return result

    def _open_since(self, student: _Student, first: int, paths: Sequence[_PathFindings]) -> int:
        """Return the first day of the run of days on which one of the paths is open.

        `first` is that day within the current record of the rank held. A rank may be recorded twice in a row (imported,
        and imported again with a better date). The steps are then the same before and after, so a run that starts with
        the later record may have started within the earlier one.
        """
        earlier = [
            self._path(found.path, student, index).spans
            for found in paths
            for index in self._repeated_records(student, found.path)
        ]
        if not earlier:
            return first
        run = span_at(union(*(path.spans for path in paths), *earlier), first)
        return first if run is None else run[0]

    def _repeated_records(self, student: _Student, path: _PathPlan) -> Iterator[int]:
        """Return the indexes of the records of the rank held that directly precede the current one."""
        ranks = student.history.ranks(with_sub_ranks=path.with_sub_ranks)
        index = index_at(ranks, self._as_of)
        while index > 0 and ranks[index - 1].rank == path.step.origin:
            index -= 1
            yield index


def _criterion_plan(step: Step, criterion: Criterion) -> _CriterionPlan:
    finding = criterion.finding
    if step.anchor is Anchor.LAST_TEST and criterion.restarts_after_test:
        finding = partial(since_last_test, criterion.finding)
    kind = criterion.kind
    return _CriterionPlan(
        criterion,
        finding,
        MESSAGES[kind, Status.MET],
        MESSAGES[kind, Status.NOT_MET],
        MESSAGES[kind, Status.UNKNOWN],
    )
