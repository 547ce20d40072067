"""One rank sought by one student as of one date."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tenant_apps.promotions.engine.history import History, place_at
from tenant_apps.promotions.engine.phrases import Phrases, Reading
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, Status, StepResult
from tenant_apps.ranks.criteria import Candidacy, Criterion, Finding, since_last_test
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
from tenant_apps.ranks.definition import Anchor, Path, RankDefinition, Step
from tenant_apps.ranks.student_facts import StudentFacts


class _PathAnswer(NamedTuple):
    step: Step
    path: Path
    candidacy: Candidacy
    findings: list[tuple[Criterion, Finding, Status]]
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
class Case:
    """Everything that an answer about one rank sought depends on; `held` is the rank held as of the date.

    `steps` are those that lead there from it. Any path of any of them will do: who wears a stripe may take its steps
    and those of the rank that it is on.
    """

    rules: RankDefinition
    facts: StudentFacts
    as_of_date: date
    history: History
    steps: tuple[Step, ...]
    held: str | None
    phrases: Phrases

    def answer(self) -> StepResult:
        as_of = self.as_of_date.toordinal()
        answers = [answer for step in self.steps for answer in self._paths(step, self._place(step))]
        # min() keeps the first of equals, which is the order of the rules.
        best = min(answers, key=lambda answer: answer.preference(as_of))
        open_days = union(*(answer.spans for answer in answers)) if len(answers) > 1 else best.spans
        run = span_at(open_days, as_of)
        earliest: int | None
        if run is not None:
            status, earliest = Eligibility.ELIGIBLE, self._open_since(run[0])
        elif best.unknown:
            status = Eligibility.UNKNOWN if best.unknown == best.failing else Eligibility.NOT_ELIGIBLE
            earliest = None
        else:
            status, earliest = Eligibility.NOT_ELIGIBLE, first_start_after(open_days, as_of)
        return StepResult(
            current_rank=self.held,
            target_rank=best.step.to,
            step_type=best.step.type,
            status=status,
            path=best.path.name,
            earliest_on=as_date(earliest),
            # Sentences for the path that is named: the others' would be thrown away.
            criteria=tuple(self._result(best.candidacy, *found) for found in best.findings),
        )

    def _place(self, step: Step) -> int:
        return place_at(self.history.left_by(step), self.as_of_date.toordinal())

    def _paths(self, step: Step, place: int) -> list[_PathAnswer]:
        candidacy = self._candidacy(step, place)
        return [self._path(step, path, candidacy) for path in step.paths]

    def _candidacy(self, step: Step, place: int) -> Candidacy:
        ranks = self.history.left_by(step)
        return Candidacy(
            facts=self.facts,
            holding=ranks[place],
            clock=self.history.clock(ranks, place),
            history=self.history.worn,
            as_of=self.as_of_date.toordinal(),
            as_of_date=self.as_of_date,
            order=self.rules.order,
            sub_ranks=self.rules.sub_ranks,
        )

    def _path(self, step: Step, path: Path, candidacy: Candidacy) -> _PathAnswer:
        spans = days_between(candidacy.holding.since, candidacy.holding.until)
        findings = []
        failing = unknown = 0
        for criterion in path.criteria:
            finding = self._finding(step, criterion, candidacy)
            if span_at(finding.spans, candidacy.as_of) is not None:
                status = Status.MET
            else:
                failing += 1
                unknown += not finding.known
                status = Status.NOT_MET if finding.known else Status.UNKNOWN
            findings.append((criterion, finding, status))
            spans = intersection(spans, finding.spans)
        return _PathAnswer(step, path, candidacy, findings, spans, failing, unknown)

    def _finding(self, step: Step, criterion: Criterion, candidacy: Candidacy) -> Finding:
        if step.anchor is Anchor.LAST_TEST:
            return since_last_test(criterion.finding, candidacy)
        return criterion.finding(candidacy)

    def _result(
        self, candidacy: Candidacy, criterion: Criterion, finding: Finding, status: Status
    ) -> CriterionResult:
        earliest = None
        if status is Status.MET:
            run = span_at(finding.spans, candidacy.as_of)
            earliest = as_date(run[0]) if run else None
        elif status is Status.NOT_MET:
            earliest = as_date(first_start_after(finding.spans, candidacy.as_of))
        held = candidacy.holding.rank
        name = None if held is None else self.rules.rank_name(held)
        reading = Reading(name, finding.have, finding.need, earliest, self.rules.rank_name)
        message = self.phrases[criterion.kind, status](criterion, reading)
        return CriterionResult(criterion.kind, status, finding.have, finding.need, earliest, message)

    def _open_since(self, first: int) -> int:
        """The first day of a run of days on which the rank is open, `first` being it under the rank held now.

        A rank may be recorded twice in a row (imported, and imported again with a better date). The steps are
        then the same before and after, so a run that begins with the later record may have begun under the
        earlier.
        """
        repeated = [(step, place) for step in self.steps for place in self._places_before(step)]
        if not repeated:
            return first
        places = [*((step, self._place(step)) for step in self.steps), *repeated]
        found = union(*(answer.spans for step, place in places for answer in self._paths(step, place)))
        run = span_at(found, first)
        return first if run is None else run[0]

    def _places_before(self, step: Step) -> Iterator[int]:
        """The places of earlier records of the rank held now, that follow one another up to it."""
        ranks, place = self.history.left_by(step), self._place(step)
        while place > 0 and ranks[place - 1].rank == step.origin:
            place -= 1
            yield place
