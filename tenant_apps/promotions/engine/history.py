"""A student's rank history as the rules see it: what is held when, and from when each clock runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tenant_apps.ranks.criteria import Clock
from tenant_apps.ranks.definition import ClockSetting, RankDefinition, Step
from tenant_apps.ranks.holding import Holding, holdings, without_sub_ranks
from tenant_apps.ranks.student_facts import RankEventKind, StudentFacts


@dataclass(frozen=True, slots=True)
class History:
    """All that was held, one after the other: `worn` with sub-ranks, `held` with these as part of their ranks."""

    rules: RankDefinition
    worn: tuple[Holding, ...]
    held: tuple[Holding, ...]

    @classmethod
    def of(cls, rules: RankDefinition, facts: StudentFacts) -> Self:
        worn = holdings(facts.rank_events, rules.order)
        return cls(rules, worn, without_sub_ranks(worn, rules.sub_ranks))

    def rank_on(self, day: int) -> str | None:
        return self.worn[place_at(self.worn, day)].rank

    def left_by(self, step: Step) -> tuple[Holding, ...]:
        """The history whose ranks the step leaves: to and from a sub-rank, with sub-ranks."""
        if step.origin in self.rules.sub_ranks or self.rules.is_to_a_sub_rank(step):
            return self.worn
        return self.held

    def clock(self, ranks: Sequence[Holding], place: int) -> Clock:
        """The event from which the clock of the rank at a place of a history runs: the rank's own, as a rule.

        A conversion from a rank by a step that carries the clock does not restart it.
        """
        while ranks[place].kind is RankEventKind.CONVERT:
            before, after = ranks[place - 1].rank, ranks[place].rank
            step = None if before is None or after is None else self.rules.step(before, after)
            if step is None or step.clock is not ClockSetting.CARRIES:
                break
            place -= 1
        holding = ranks[place]
        return Clock(None if holding.rank is None else holding.since, holding.kind)


def place_at(ranks: Sequence[Holding], day: int) -> int:
    """The place of what is held on a day."""
    return next(place for place, holding in enumerate(ranks) if holding.since <= day <= holding.until)
