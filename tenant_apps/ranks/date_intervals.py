"""Sets of civil dates, as sorted closed intervals of day ordinals (`date.toordinal()`).

The result of a criterion is the set of dates on which it is met if no fact changes; a path is the intersection of its
criteria. "Eligible as of a date" and "eligible from which date" are read from the same set, so they cannot contradict
each other. There is no time of day and no time zone: dates are civil dates of the dojo (C1).
"""

from collections.abc import Iterable
from datetime import date

Span = tuple[int, int]
"""First and last day, both included."""

Spans = tuple[Span, ...]
"""Sorted, disjoint, never adjacent."""

BEGINNING = date.min.toordinal()
"""As the start of a span: no first date."""

END = date.max.toordinal()
"""As the end of a span: no last date."""

NEVER: Spans = ()
ALWAYS: Spans = ((BEGINNING, END),)


def days_between(first: int, last: int) -> Spans:
    """Return the days from first to last, both included; none if last is before first."""
    return ((first, last),) if first <= last else NEVER


def days_from(first: int | None) -> Spans:
    """Return all days from `first` on; none for None (a day beyond the last possible date)."""
    return NEVER if first is None or first > END else ((first, END),)


def intersection(left: Spans, right: Spans) -> Spans:
    """Return the days that are in both."""
    if left == ALWAYS:
        return right
    if right == ALWAYS:
        return left
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            found.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def union(*several: Spans) -> Spans:
    """Return the days that are in any; spans that overlap or touch are merged."""
    found: list[Span] = []
    for first, last in sorted(span for spans in several for span in spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def complement(spans: Spans) -> Spans:
    """Return all other days."""
    found: list[Span] = []
    first = BEGINNING
    for since, until in spans:
        if first < since:
            found.append((first, since - 1))
        first = until + 1
    return (*found, (first, END)) if first <= END else tuple(found)


def number_of_days(spans: Spans, first: int, last: int) -> int:
    """Return how many of the days from first to last, both included, are in the spans."""
    return sum(max(min(until, last) - max(since, first) + 1, 0) for since, until in spans)


def nth_day_after(spans: Spans, day: int, n: int) -> int | None:
    """Return the n-th day of the spans after `day`; `day` itself if n is 0.

    Return None if the spans have fewer than n days after it.
    """
    if n <= 0:
        return day
    for since, until in spans:
        first = max(since, day + 1)
        length = until - first + 1
        if length >= n:
            return first + n - 1
        n -= max(length, 0)
    return None


def span_at(spans: Spans, day: int) -> Span | None:
    """Return the span that contains the day, if there is one."""
    for span in spans:
        if span[0] <= day <= span[1]:
            return span
    return None


def latest_span(spans: Iterable[Span], day: int) -> Span | None:
    """Return the span that starts last, of those that contain the day; else of those that ended before it."""
    begun = [span for span in spans if span[0] <= day]
    return max(begun, key=lambda span: (span[1] >= day, span), default=None)


def first_start_after(spans: Spans, day: int) -> int | None:
    """Return the first day after `day` on which a span starts."""
    for first, _ in spans:
        if first > day:
            return first
    return None


def as_date(day: int | None) -> date | None:
    """Return the date of a day that starts a span; None if there is no such day, or if the span has no beginning."""
    return None if day is None or day <= BEGINNING else date.fromordinal(day)
