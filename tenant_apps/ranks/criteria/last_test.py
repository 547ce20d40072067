"""Clocks that start anew with each test, as the US Aikido Federation counts: passed or not."""

from collections.abc import Callable
from dataclasses import replace

from tenant_apps.ranks.criteria.criterion import Candidacy, Clock, Finding
from tenant_apps.ranks.facts import RankEventKind
from tenant_apps.ranks.spans import BEGINNING, END, Spans, days_between, intersection, union


def since_last_test(ask: Callable[[Candidacy], Finding], candidacy: Candidacy) -> Finding:
    """What a criterion answers where its clock starts with the rank, and anew on the day after a failed test.

    After, for what is asked as of the day of a test is about that very test. What was trained for it elsewhere
    no longer matters then: from a test on, all that counts is recorded here.
    """
    tests = sorted(
        {on.toordinal() for on in candidacy.facts.failed_tests if on.toordinal() > candidacy.clock.after}
    )
    if not tests:
        return ask(candidacy)
    found: list[Spans] = []
    answer: Finding | None = None
    first = BEGINNING
    for clock, last in zip(
        [candidacy.clock, *(Clock(test, RankEventKind.AWARD) for test in tests)], [*tests, END], strict=True
    ):
        finding = ask(replace(candidacy, clock=clock))
        found.append(intersection(finding.spans, days_between(first, last)))
        if first <= candidacy.as_of <= last:
            answer = finding
        first = last + 1
    assert answer is not None, "the segments cover all days"
    return answer._replace(spans=union(*found))
