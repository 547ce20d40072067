"""The criteria of rank rules as sentences that a reader of the rules understands, without any student in view.

The sentences of a check (`promotions/engine/messages`) say how one student stands; these say what is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenant_apps.promotions.engine.messages.wording import title
from tenant_apps.ranks import criteria
from tenant_apps.ranks.criteria import (
    Activity,
    AgeBasis,
    Approver,
    AttendanceSince,
    Criterion,
    Occasion,
    Offered,
    Since,
)
from tenant_apps.ranks.student_facts import AttendanceUnit


class Reader(NamedTuple):
    """What a sentence needs beside the criterion. `rank_name` returns the name of a rank by its code.

    `has_rank`: the step begins at a rank. Without one, waits run from joining, and all training counts.
    """

    rank_name: Callable[[str], str]
    has_rank: bool

    @property
    def since(self) -> str:
        """From when counts run, as a part of a sentence."""
        return _("since the rank held") if self.has_rank else _("in all")


def sentence(criterion: Criterion, reader: Reader) -> str:
    """Return what a criterion asks for."""
    return " ".join(part for part in _SENTENCES[type(criterion)](criterion, reader) if part)


def one_of(names: Sequence[str]) -> str:
    """Return "A", "A or B" or "A, B or C"."""
    if len(names) == 1:
        return names[0]
    return _("{first} or {last}").format(first=", ".join(names[:-1]), last=names[-1])


def _months(number: int) -> str:
    return ngettext("{number} month", "{number} months", number).format(number=number)


def _window(months: int | None, reader: Reader) -> str:
    """Return the time in which something counts, as a part of a sentence."""
    if months is None:
        return reader.since
    return _("in the last {months}").format(months=_months(months))


def _time_in_rank(one: Any, reader: Reader) -> list[str]:
    if one.active_only is Activity.MEMBER:
        counts = _("Only time with a membership counts.")
    elif one.active_only is Activity.NOT_ON_HOLD:
        counts = _("Time on hold does not count.")
    else:
        counts = ""
    if reader.has_rank:
        wait = _("{months} of waiting time since the rank held.")
    else:
        wait = _("{months} of waiting time since joining.")
    grace = ngettext("It may be {number} day earlier.", "It may be {number} days earlier.", one.grace_days)
    return [
        wait.format(months=_months(one.months)),
        grace.format(number=one.grace_days) if one.grace_days else "",
        counts,
        _("Only if: {condition}").format(condition=sentence(one.applies_if, reader))
        if one.applies_if
        else "",
    ]


def _attendance_count(one: Any, reader: Reader) -> list[str]:
    match one.unit:
        case AttendanceUnit.DAY:
            amount = ngettext("{number} day of training", "{number} days of training", one.n)
        case AttendanceUnit.SESSION:
            amount = ngettext("{number} class", "{number} classes", one.n)
        case _:
            amount = ngettext("{number} hour of training", "{number} hours of training", one.n)
    since = {
        AttendanceSince.RANK: reader.since,
        AttendanceSince.LAST_TEST: _("since the rank held or the last test"),
        AttendanceSince.ENROLMENT: _("since joining"),
        AttendanceSince.EVER: _("in all"),
    }[one.since]
    per_day = ngettext(
        "At most {number} a day counts.", "At most {number} a day count.", one.max_per_day or 1
    )
    return [
        _("{amount} {since}.").format(amount=amount.format(number=one.n), since=since),
        _("Only these types of class count: {types}.").format(types=one_of(one.class_types))
        if one.class_types
        else "",
        _("Classes of other disciplines count, too.") if one.any_discipline else "",
        per_day.format(number=one.max_per_day) if one.max_per_day else "",
        _("Only classes of at least {number} minutes count.").format(number=one.min_minutes)
        if one.min_minutes
        else "",
    ]


def _attendance_rate(one: Any, reader: Reader) -> list[str]:
    offered = {
        Offered.ENROLLED: _("Classes in which the student is enrolled count."),
        Offered.CLASS_TYPES: _("Only these types of class count: {types}.").format(
            types=one_of(one.class_types or [""])
        ),
        Offered.DISCIPLINE: _("All classes of the discipline count."),
    }[one.of]
    text = _("{percent}% of the classes offered {window}.")
    return [text.format(percent=one.percent, window=_window(one.window_months, reader)), offered]


def _ages(one: Any) -> str:
    if one.min is not None and one.max is not None:
        return _("{least} to {most} years old").format(least=one.min, most=one.max)
    if one.min is not None:
        return _("at least {least} years old").format(least=one.min)
    return _("at most {most} years old").format(most=one.max)


def _age(one: Any, _reader: Reader) -> list[str]:
    by_year = one.basis is AgeBasis.BIRTH_YEAR
    ages = _ages(one)
    return [
        f"{ages[:1].upper()}{ages[1:]}.",
        _("The age reached in the calendar year counts.") if by_year else "",
    ]


def _rank_held_before(one: Any, reader: Reader) -> list[str]:
    age, months = one.registered_at_age, one.min_months
    return [
        _("Holds or has held {ranks}.").format(ranks=one_of([reader.rank_name(code) for code in one.ranks])),
        _("It was held for {months} without a break.").format(months=_months(months)) if months else "",
        _("It was received when {ages}.").format(ages=_ages(age)) if age else "",
    ]


def _points(one: Any, reader: Reader) -> list[str]:
    if one.category:
        text = ngettext(
            "{number} point in {category} {since}.", "{number} points in {category} {since}.", one.n
        )
    else:
        text = ngettext("{number} point {since}.", "{number} points {since}.", one.n)
    return [text.format(number=one.n, category=one.category, since=reader.since)]


def _achievement(one: Any, reader: Reader) -> list[str]:
    if one.at_rank:
        text = _("Achieved as {rank}: {which}.")
        return [text.format(rank=reader.rank_name(one.at_rank), which=title(one.which))]
    return [_("Achieved: {which}.").format(which=title(one.which))]


def _skills(one: Any, _reader: Reader) -> list[str]:
    return [_("Skills shown: {which}.").format(which=", ".join(map(title, one.which)))]


def _document(one: Any, reader: Reader) -> list[str]:
    text = (
        _("Handed in since the rank held: {which}.")
        if one.since is Since.RANK and reader.has_rank
        else _("Handed in: {which}.")
    )
    return [text.format(which=title(one.which))]


def _approval(one: Any, _reader: Reader) -> list[str]:
    text = ngettext(
        "Approved by {number} person: {which}.", "Approved by {number} people: {which}.", one.count
    )
    who = {
        Approver.INSTRUCTOR: _("An instructor or the head of the dojo approves."),
        Approver.ADMIN: _("The head of the dojo approves."),
    }
    return [text.format(number=one.count, which=title(one.which)), who[one.by] if one.by else ""]


def _credential(one: Any, _reader: Reader) -> list[str]:
    age = one.max_age_months
    return [
        _("A valid certificate: {which}.").format(which=title(one.which)),
        _("It is at most {months} old.").format(months=_months(age)) if age else "",
    ]


def _event_count(one: Any, reader: Reader) -> list[str]:
    text = _("{event}: {number} {window}.")
    return [text.format(event=title(one.event), number=one.n, window=_window(one.window_months, reader))]


def _standing(_one: Any, _reader: Reader) -> list[str]:
    return [_("Is an active student, and not on hold.")]


def _sub_ranks(one: Any, _reader: Reader) -> list[str]:
    text = ngettext("{number} stripe on the rank held.", "{number} stripes on the rank held.", one.n)
    return [text.format(number=one.n)]


def _retest_gap(one: Any, _reader: Reader) -> list[str]:
    return [_("{months} of waiting time after a failed test.").format(months=_months(one.months))]


def _total_training_time(one: Any, _reader: Reader) -> list[str]:
    return [_("{months} of training in all.").format(months=_months(one.months))]


def _at_most(one: Any, _reader: Reader) -> list[str]:
    match one.of:
        case Occasion.EXAM:
            text = ngettext("At most {number} exam", "At most {number} exams", one.n)
        case Occasion.FAILED_EXAM:
            text = ngettext("At most {number} failed exam", "At most {number} failed exams", one.n)
        case _:
            text = ngettext("At most {number} award of a rank", "At most {number} awards of ranks", one.n)
    windows = []
    if one.window_months:
        windows.append(_("in the last {months}").format(months=_months(one.window_months)))
    if one.calendar_year:
        windows.append(_("in the calendar year"))
    return [" ".join([text.format(number=one.n), *(windows or [_("in all")])]) + _(", with this one.")]


_SENTENCES: Final[Mapping[type[Criterion], Callable[[Any, Reader], list[str]]]] = {
    criteria.TimeInRank: _time_in_rank,
    criteria.AttendanceCount: _attendance_count,
    criteria.AttendanceRate: _attendance_rate,
    criteria.Age: _age,
    criteria.RankHeldBefore: _rank_held_before,
    criteria.PointsEarned: _points,
    criteria.AchievementWon: _achievement,
    criteria.SkillsShown: _skills,
    criteria.DocumentHandedIn: _document,
    criteria.Approved: _approval,
    criteria.CredentialHeld: _credential,
    criteria.EventCount: _event_count,
    criteria.GoodStanding: _standing,
    criteria.SubRanks: _sub_ranks,
    criteria.RetestGap: _retest_gap,
    criteria.TotalTrainingTime: _total_training_time,
    criteria.AtMost: _at_most,
}
"""A test fails for a kind of criterion without a sentence."""
