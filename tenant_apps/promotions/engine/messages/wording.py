"""What the messages share: their context, and dates, numbers and lists in the active language.

A message is one or more whole sentences with named placeholders, so that a translator can put them in any order.
Plurals go through `ngettext`, which knows the plural forms of each language.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.utils.formats import localize
from django.utils.translation import override

from tenant_apps.promotions.engine.messages.translated import gettext as _
from tenant_apps.promotions.engine.messages.translated import language, pgettext
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import CountingStart, CriterionInput, Finding


class MessageContext(NamedTuple):
    """The finding about a criterion, with the student and the names that a sentence needs.

    `rank_name` returns the name of a rank by its code. `suggested` is the code of the rank to which a student who is
    too old for a step can be converted.
    """

    data: CriterionInput
    finding: Finding
    earliest_on: date | None
    rank_name: Callable[[str], str]
    suggested: str | None

    @property
    def have(self) -> int | float:
        return self.finding.have or 0

    @property
    def need(self) -> int | float:
        return self.finding.need or 0

    @property
    def rank(self) -> str:
        """The name of the rank held; empty for none."""
        held = self.data.holding.rank
        return "" if held is None else self.rank_name(held)

    @property
    def start(self) -> CountingStart:
        """The event from which waits and counts run."""
        return self.finding.start or self.data.counting_start

    @property
    def event(self) -> str:
        """That event, as a part of a sentence after "since"; empty for a student without a rank."""
        start = self.start
        if start.since is None:
            return ""
        on = on_date(date.fromordinal(start.since))
        if start.is_test:
            return pgettext("since", "the failed test on {date}").format(date=on)
        rank = "" if start.rank is None else self.rank_name(start.rank)
        return pgettext("since", "{rank} on {date}").format(rank=rank, date=on)

    @property
    def event_or_joining(self) -> str:
        """The same, or for a student without a rank the day of joining."""
        return self.joining if self.start.since is None else self.event

    @property
    def joining(self) -> str:
        """The day of joining, as a part of a sentence after "since"; empty if it is not recorded."""
        joined_on = self.data.facts.joined_on
        if joined_on is None:
            return ""
        return pgettext("since", "joining on {date}").format(date=on_date(joined_on))


Message = Callable[[Any, MessageContext], str]
"""(criterion, context) → sentences. Each function takes the criterion class of its own kind, hence Any."""

Messages = Mapping[tuple[str, Status], Message]

_MONTHS: Final[Sequence[Callable[[], str]]] = (
    lambda: pgettext("in a date", "January"),
    lambda: pgettext("in a date", "February"),
    lambda: pgettext("in a date", "March"),
    lambda: pgettext("in a date", "April"),
    lambda: pgettext("in a date", "May"),
    lambda: pgettext("in a date", "June"),
    lambda: pgettext("in a date", "July"),
    lambda: pgettext("in a date", "August"),
    lambda: pgettext("in a date", "September"),
    lambda: pgettext("in a date", "October"),
    lambda: pgettext("in a date", "November"),
    lambda: pgettext("in a date", "December"),
)


def on_date(on: date) -> str:
    """Return a date in long form: "15 June 2026". The first day of a month has a form of its own in Portuguese."""
    return _written(language(), on)


@lru_cache(maxsize=8_192)
def _written(_language: str | None, on: date) -> str:
    month = _MONTHS[on.month - 1]()
    if on.day == 1:
        return pgettext("first day of a month", "1 {month} {year}").format(month=month, year=on.year)
    return pgettext("date", "{day} {month} {year}").format(day=on.day, month=month, year=on.year)


def on_day(day: int) -> str:
    """Return the date of a day ordinal in long form."""
    return on_date(date.fromordinal(day))


def number(value: int | float) -> str:
    """Return a number as people write it in the active language: "1.5", "1,5"."""
    if isinstance(value, int):
        return str(value)
    with override(language()):
        return str(localize(round(value, 2)))


def title(name: str) -> str:
    """Return the name of a document, a skill or an achievement as the beginning of a sentence."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def either(names: Sequence[str]) -> str:
    """Return "A", "A or B" or "A, B or C"."""
    if len(names) == 1:
        return names[0]
    return _("{first} or {last}").format(first=", ".join(names[:-1]), last=names[-1])


def sentences(*parts: str) -> str:
    """Return the sentences that are not empty, one after the other. Some languages put no space between them."""
    first, *others = [part for part in parts if part] or [""]
    if others:
        pair = pgettext("two sentences", "{first} {second}")
        for second in others:
            first = pair.format(first=first, second=second)
    return first


def enough_on(context: MessageContext) -> str:
    """Return the sentence that names the day on which it will be enough; empty if that is not known."""
    if context.earliest_on is None:
        return ""
    return _("It is enough from {date} on.").format(date=on_date(context.earliest_on))
