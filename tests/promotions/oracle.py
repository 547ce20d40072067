"""A second reading of docs/rank-rules.md, without any code of the product: slow, and easy to compare with the page.

It takes the document of a rank system as JSON, and a student as plain values. For each day it asks again whether a
criterion is met, so dates are found by trying one day after the other, up to `HORIZON` days.
"""

import calendar
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

HORIZON: Final = 400
"""Days after (and before) the day of the check in which the oracle looks for a date."""
DAY: Final = timedelta(days=1)

RESTARTING: Final = {
    "time_in_rank", "attendance_count", "attendance_rate", "points", "event_count", "document", "approval",
}  # fmt: skip
"""The kinds that count from the last failed test in a step with the anchor `last_test`."""


@dataclass
class Session:
    """A session of the schedule. `starts` and `ends`: minutes of the day. `min_rank`: the code of a rank (a code of no
    rank of the system: a rank of another system), or None."""

    on: date
    starts: int
    ends: int
    training_class: str
    class_type: str
    held: bool = True
    counts: bool = True
    in_discipline: bool = True
    min_rank: str | None = None


@dataclass
class Fact:
    kind: str
    value: Any
    on: date
    until: date | None = None
    by: str = ""
    role: str = ""
    by_family: bool = False

    def valid_on(self, day: date) -> bool:
        return self.on <= day and (self.until is None or day <= self.until)


@dataclass
class Learner:
    """A student. `events`: (code, kind, day). `enrolments`: (class, first day, last day or None)."""

    birth: date | None = None
    joined: date | None = None
    active: bool = True
    events: list[tuple[str, str, date]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    holds: list[tuple[date, date | None]] = field(default_factory=list)
    failed: list[date] = field(default_factory=list)
    passed: list[date] = field(default_factory=list)
    visits: list[Session] = field(default_factory=list)
    enrolments: list[tuple[str, date, date | None]] = field(default_factory=list)

    def on_hold(self, day: date) -> bool:
        return any(first <= day and (last is None or day <= last) for first, last in self.holds)

    def named(self, kind: str, which: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind == kind and same(str(fact.value), which)]


class Start(NamedTuple):
    """The event from which something counts; `on` is None for a student without a rank."""

    on: date | None
    kind: str | None


class Finding(NamedTuple):
    met: bool
    have: int | float | None
    need: int | float | None
    known: bool = True


def unknown(need: int | float | None) -> Finding:
    return Finding(met=False, have=None, need=need, known=False)


# --- dates and names ----------------------------------------------------------------------------------------------


def later(day: date, months: int) -> date:
    """C2: n calendar months later, clamped to the end of the month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def months_between(first: date, last: date) -> int:
    months = 0
    while later(first, months + 1) <= last:
        months += 1
    return months


def age_on(birth: date, day: date, basis: str) -> int:
    """C3, C4: by birthday (29 February is 1 March in common years), or by the year of birth."""
    years = day.year - birth.year
    if basis == "birth_year":
        return years
    month, number = birth.month, birth.day
    if (month, number) == (2, 29) and not calendar.isleap(day.year):
        month, number = 3, 1
    return years if (day.month, day.day) >= (month, number) else years - 1


def same(one: str, other: str) -> bool:
    return plain(one) == plain(other)


@cache
def plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join(
        "".join(c for c in letters if not unicodedata.combining(c))
        .replace("-", " ")
        .replace("_", " ")
        .split()
    )


# --- a check ------------------------------------------------------------------------------------------------------


class Oracle:
    """One student under the rules of one document, as of one day."""

    def __init__(
        self, document: dict[str, Any], student: Learner, as_of: date, sessions: Iterable[Session]
    ) -> None:
        self.document, self.student, self.as_of = document, student, as_of
        self.sessions = list(sessions)
        self.order = [rank["code"] for rank in document["ranks"]]
        self.ranks = {rank["code"]: rank for rank in document["ranks"]}
        self._active: dict[tuple[date, str], list[int]] = {}
        self._worked_out: dict[tuple[int, Start], Any] = {}
        self.came_to = {id(session) for session in student.visits}

    @cached_property
    def events(self) -> list[tuple[str, str, date]]:
        return sorted(self.student.events, key=lambda event: event[2])

    @cached_property
    def held(self) -> int:
        """The index of the event whose rank is held as of the day; -1 for none."""
        return max((i for i, event in enumerate(self.events) if event[2] <= self.as_of), default=-1)

    @property
    def rank(self) -> str | None:
        return None if self.held < 0 else self.events[self.held][0]

    @cached_property
    def start(self) -> Start:
        """The event from which things count: that of the rank held, or an earlier one whose clock is carried."""
        index = self.held
        while index > 0 and self.events[index][1] == "convert":
            step = self.step(self.events[index - 1][0], self.events[index][0])
            if step is None or step.get("clock") != "carries":
                break
            index -= 1
        return Start(None, None) if index < 0 else Start(self.events[index][2], self.events[index][1])

    def step(self, origin: str | None, to: str) -> dict[str, Any] | None:
        return next((s for s in self.document["steps"] if (s["from"], s["to"]) == (origin, to)), None)

    def answers(self) -> list[dict[str, Any]]:
        return [self.answer(step) for step in self.document["steps"] if step["from"] == self.rank]

    def answer(self, step: dict[str, Any]) -> dict[str, Any]:
        paths = [self.path(step, path) for path in step["paths"]]
        best = min(paths, key=lambda path: path["order"])
        days = {day for path in paths for day in path["days"]}
        return {
            "target": step["to"],
            "type": step.get("type", "promote"),
            "path": best["path"],
            **self.status(days, best),
            "paths": [
                {"path": path["path"], **self.status(path["days"], path), "criteria": path["criteria"]}
                for path in sorted(paths, key=lambda path: path["order"])
            ],
        }

    def status(self, days: set[date], best: dict[str, Any]) -> dict[str, Any]:
        """Return the status on the day of the check, and the earliest date, given the days on which a path is met."""
        if self.as_of in days:
            first = self.as_of
            while first - DAY in days:
                first -= DAY
            return {"status": "eligible", "earliest_on": first}
        unmet = [criterion["status"] for criterion in best["criteria"] if criterion["status"] != "met"]
        if "unknown" in unmet:
            return {"status": "not_eligible" if "not_met" in unmet else "unknown", "earliest_on": None}
        return {
            "status": "not_eligible",
            "earliest_on": min((d for d in days if d > self.as_of), default=None),
        }

    def path(self, step: dict[str, Any], path: dict[str, Any]) -> dict[str, Any]:
        criteria = list(path["criteria"])
        ages = self.ranks[step["to"]].get("holding_ages")
        if ages and not any(one["kind"] == "age" for one in criteria):
            criteria.append({"kind": "age", **ages})
        now = [self.finding(one, self.as_of, step) for one in criteria]
        found = []
        for one, finding in zip(criteria, now, strict=True):
            status = "met" if finding.met else "not_met" if finding.known else "unknown"
            found.append({"kind": one["kind"], "status": status, "have": finding.have, "need": finding.need})
        days = {day for day in self.days() if all(self.finding(one, day, step).met for one in criteria)}
        unmet = [one["status"] for one in found if one["status"] != "met"]
        opens = min((day for day in days if day > self.as_of), default=date.max)
        if "unknown" in unmet or not unmet:
            opens = date.max
        return {
            "path": path["name"],
            "criteria": found,
            "days": days,
            "order": (bool(unmet), opens, len(unmet)),
        }

    def days(self) -> Iterator[date]:
        """Yield the days on which the rank is held, within the horizon."""
        first, last = self.as_of - HORIZON * DAY, self.as_of + HORIZON * DAY
        if self.held >= 0:
            first = max(first, self.events[self.held][2])
        day = first
        while day <= last:
            yield day
            day += DAY

    def finding(self, criterion: dict[str, Any], day: date, step: dict[str, Any]) -> Finding:
        restarts = step.get("anchor") == "last_test" and criterion["kind"] in RESTARTING
        restarts = restarts or criterion.get("since") == "last_test"
        start = self.after_test(self.start, day) if restarts else self.start
        found: Finding = KINDS[criterion["kind"]](self, criterion, day, start)
        return found

    def after_test(self, start: Start, day: date) -> Start:
        """The last failed test since the start, from the next day on. After it, all training is recorded here."""
        tests = [on for on in self.student.failed if (start.on is None or on > start.on) and on < day]
        return Start(max(tests), "award") if tests else start

    def counts_since(self, start: Start, day: date) -> bool:
        """C5: strictly after the day of the event; for students without a rank, always."""
        return start.on is None or day > start.on

    def work_out(self, criterion: dict[str, Any], start: Start, what: Callable[[], Any]) -> Any:
        """Return what is the same for all days, worked out once."""
        key = id(criterion), start
        if key not in self._worked_out:
            self._worked_out[key] = what()
        return self._worked_out[key]

    def active_days(self, after: date, until: date, activity: str) -> int:
        """Return how many days after a day, up to another, are not on hold (and, for `member`, of a membership)."""
        members = [fact for fact in self.student.facts if fact.kind == "membership"]

        def active(on: date) -> bool:
            return not self.student.on_hold(on) and (
                activity != "member" or any(m.valid_on(on) for m in members)
            )

        totals = self._active.setdefault((after, activity), [0])
        while len(totals) <= (until - after).days:
            totals.append(totals[-1] + active(after + len(totals) * DAY))
        return totals[max((until - after).days, 0)]

    def is_elsewhere(self, start: Start) -> bool:
        return start.kind in ("import", "convert")


# --- kinds of criteria --------------------------------------------------------------------------------------------


def time_in_rank(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
    wait = waited(o, c, day, start)
    if "applies_if" not in c:
        return wait
    condition = KINDS[c["applies_if"]["kind"]](o, c["applies_if"], day, o.start)
    now = KINDS[c["applies_if"]["kind"]](o, c["applies_if"], o.as_of, o.start)
    if not now.known:
        return wait._replace(known=False)
    return Finding(
        wait.met or not condition.met, wait.have, wait.need if now.met else None, wait.known or not now.met
    )


def waited(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
    anchor = start.on or o.student.joined
    months, activity = c["months"], c.get("active_only")
    members = [fact for fact in o.student.facts if fact.kind == "membership"]
    if anchor is None or (activity == "member" and not members):
        return unknown(months)
    needed = max((later(anchor, months) - anchor).days - c.get("grace_days", 0), 0)
    if activity is None:
        return Finding(day >= anchor + needed * DAY, months_between(anchor, day), months)

    counted = o.active_days(anchor, day, activity)
    return Finding(
        day >= anchor and counted >= needed, months_between(anchor, anchor + counted * DAY), months
    )


def attendance_count(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:  # noqa: C901
    n, unit, since = c["n"], c["unit"], c.get("since", "rank")
    after = {"ever": None, "enrolment": o.student.joined}.get(since, start.on)
    if since == "enrolment" and after is None:
        return unknown(n)
    visits = [v for v in o.student.visits if v.counts and (v.in_discipline or c.get("any_discipline"))]

    def amounts() -> dict[date, float]:
        of_day: dict[date, list[int]] = {}
        for visit in visits:
            if "class_types" in c and visit.class_type not in c["class_types"]:
                continue
            if visit.ends - visit.starts >= c.get("min_minutes", 0) and (after is None or visit.on > after):
                of_day.setdefault(visit.on, []).append(visit.ends - visit.starts)
        longest = {
            on: sorted(all_of, reverse=True)[: c.get("max_per_day", 99)] for on, all_of in of_day.items()
        }
        return {on: {"day": 1, "session": len(m), "hour": sum(m) / 60}[unit] for on, m in longest.items()}

    counted = o.work_out(c, start, amounts)
    balances = []
    for fact in o.student.facts if "class_types" not in c else ():
        counts = after is None or fact.on > after or (fact.on == after and start.kind == "import")
        if fact.kind == "opening_attendance" and counts:
            balances.append(fact)

    def usable(fact: Fact) -> bool:
        if not isinstance(fact.value, dict):
            return unit != "hour" or fact.value == 0
        given = fact.value["unit"]
        return fact.value["count"] == 0 or given == unit or (given, unit) == ("day", "session")

    def size(fact: Fact) -> int:
        return int(fact.value["count"] if isinstance(fact.value, dict) else fact.value)

    def total(on: date) -> float:
        trained = sum(amount for when, amount in counted.items() if when <= on)
        return float(trained + sum(size(fact) for fact in balances if usable(fact) and fact.valid_on(on)))

    have = total(o.as_of)
    begun = [fact for fact in balances if fact.on <= o.as_of]
    other_unit = bool(begun) and not any(map(usable, balances))
    reaches_back = start.on is not None and any(v.on <= min(start.on + DAY, o.as_of) for v in visits)
    complete = not o.is_elsewhere(start) or any(map(usable, begun)) or reaches_back
    known = complete and not other_unit
    shown = int(have) if have == int(have) else int(have * 100 + 1e-6) / 100
    return Finding(total(day) >= n - 1e-9, shown if known or have >= n - 1e-9 else None, n, known)


def attendance_rate(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:  # noqa: C901
    percent, of, window = c["percent"], c.get("of", "enrolled"), c.get("window_months")
    level = -1 if o.rank is None else o.order.index(o.rank)
    in_art = [s for s in o.sessions if s.held and s.counts and s.in_discipline]
    classes = {s.training_class for s in in_art if of != "class_types" or s.class_type in c["class_types"]}
    enrolments = [one for one in o.student.enrolments if one[0] in classes]
    if window is None and start.on is None and o.student.joined is None and not enrolments:
        return unknown(percent)

    def is_offered(s: Session) -> bool:
        if s.min_rank is not None and (s.min_rank not in o.order or o.order.index(s.min_rank) > level):
            return False
        if of == "class_types" and s.class_type not in c["class_types"]:
            return False
        if window is None and not o.counts_since(start, s.on):
            return False
        if (o.student.joined is not None and s.on < o.student.joined) or o.student.on_hold(s.on):
            return False
        if of == "enrolled" and enrolments:
            return any(
                name == s.training_class and first <= s.on and (last is None or s.on <= last)
                for name, first, last in enrolments
            )
        return not enrolments or s.on >= min(first for _, first, _ in enrolments)

    def counts_on(s: Session, on: date) -> bool:
        return s.on <= on and (window is None or on < later(s.on, window))

    def slots() -> list[list[Session]]:
        found: list[list[Session]] = []
        for session in sorted(filter(is_offered, in_art), key=lambda s: (s.on, s.starts, s.ends)):
            if found and found[-1][0].on == session.on and session.starts < found[-1][0].ends:
                found[-1].append(session)
            else:
                found.append([session])
        return found

    groups = o.work_out(c, start, slots)

    def share(on: date) -> tuple[int, int]:
        offered = [group for group in groups if counts_on(group[0], on)]
        return sum(any(id(s) in o.came_to for s in group) for group in offered), len(offered)

    attended, offered = share(o.as_of)
    trained = any(v.counts and v.in_discipline and v.on <= o.as_of for v in o.student.visits)
    known = offered > 0 and (not o.is_elsewhere(start) or trained)
    then = share(day)
    met = then[1] > 0 and then[0] * 100 >= percent * then[1]
    return Finding(met, attended * 100 // offered if known else None, percent, known)


def age(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    least, most, basis = c.get("min"), c.get("max"), c.get("basis", "full")
    if o.student.birth is None:
        return unknown(most if least is None else least)
    years, now = (age_on(o.student.birth, on, basis) for on in (day, o.as_of))
    need = most if least is None or (most is not None and now > most) else least
    met = (least is None or years >= least) and (most is None or years <= most)
    return Finding(met, max(now, 0), need)


def rank_held_before(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    ages, needed = c.get("registered_at_age"), c.get("min_months", 0)
    received = [(i, on) for i, (code, _, on) in enumerate(o.events) if code in c["ranks"]]
    if received and ages and o.student.birth is None:
        return unknown(1)

    def is_met(at: date) -> bool:
        for i, on in received:
            if ages:
                assert o.student.birth is not None
                years = age_on(o.student.birth, on, ages.get("basis", "full"))
                if not ages.get("min", 0) <= years <= ages.get("max", 999):
                    continue
            left = next((then for code, _, then in o.events[i + 1 :] if code not in c["ranks"]), date.max)
            if at >= later(on, needed) and (not needed or later(on, needed) < left):
                return True
        return False

    return Finding(is_met(day), int(is_met(o.as_of)), 1)


def once(kind: str) -> Callable[[Oracle, dict[str, Any], date, Start], Finding]:
    """Return the criterion that asks for one named fact: a document, a credential, an achievement."""

    def finding(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
        def is_met(on: date) -> bool:
            for fact in o.student.named(kind, c["which"]):
                if not fact.valid_on(on):
                    continue
                if (
                    kind == "document"
                    and c.get("since", "rank") == "rank"
                    and not o.counts_since(start, fact.on)
                ):
                    continue
                if "max_age_months" in c and on > later(fact.on, c["max_age_months"]):
                    continue
                if "at_rank" in c:
                    held = [code for code, _, then in o.events if then <= fact.on]
                    if not held or held[-1] != c["at_rank"]:
                        continue
                return True
            return False

        return Finding(is_met(day), int(is_met(o.as_of)), 1)

    return finding


def points(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
    def total(on: date) -> float:
        earned = 0.0
        for fact in o.student.facts:
            if fact.kind == "points" and fact.valid_on(on) and o.counts_since(start, fact.on):
                value = fact.value if isinstance(fact.value, dict) else {"points": fact.value, "category": ""}
                if "category" not in c or same(value["category"], c["category"]):
                    earned += value["points"]
        return earned

    return Finding(total(day) >= c["n"], total(o.as_of), c["n"])


def skills(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    def shown(on: date) -> int:
        return sum(any(fact.valid_on(on) for fact in o.student.named("skill", one)) for one in c["which"])

    return Finding(shown(day) == len(c["which"]), shown(o.as_of), len(c["which"]))


def approval(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
    roles = {None: {"admin", "instructor"}, "instructor": {"admin", "instructor"}, "admin": {"admin"}}[
        c.get("by")
    ]

    def approvers(on: date) -> int:
        return len({
            fact.by
            for fact in o.student.named("approval", c["which"])
            if fact.valid_on(on) and o.counts_since(start, fact.on) and fact.role in roles and not fact.by_family
        })  # fmt: skip

    need = c.get("count", 1)
    return Finding(approvers(day) >= need, approvers(o.as_of), need)


def event_count(o: Oracle, c: dict[str, Any], day: date, start: Start) -> Finding:
    window = c.get("window_months")

    def events(on: date) -> int:
        days = {v.on for v in o.student.visits if v.counts and same(v.class_type, c["event"]) and v.on <= on}
        days |= {fact.on for fact in o.student.named("achievement", c["event"]) if fact.valid_on(on)}
        return sum(on < later(d, window) if window else o.counts_since(start, d) for d in days)

    return Finding(events(day) >= c["n"], events(o.as_of), c["n"])


def standing(o: Oracle, _: dict[str, Any], day: date, __: Start) -> Finding:
    now = o.student.active and not o.student.on_hold(o.as_of)
    return Finding(o.student.active and not o.student.on_hold(day), int(now), 1)


def retest_gap(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    tests = [on for on in o.student.failed if o.counts_since(o.start, on)]
    met = not any(on < day < later(on, c["months"]) for on in tests)
    past = [on for on in tests if on < o.as_of]
    if not past:
        return Finding(met, None, None)
    return Finding(met, months_between(max(past), o.as_of), c["months"])


def total_training_time(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    dates = [on for _, _, on in o.events] + ([o.student.joined] if o.student.joined else [])
    if not dates:
        return unknown(c["months"])
    first = min(dates)
    return Finding(day >= later(first, c["months"]), months_between(first, o.as_of), c["months"])


def at_most(o: Oracle, c: dict[str, Any], day: date, _: Start) -> Finding:
    occasions = {
        "exam": o.student.failed + o.student.passed,
        "failed_exam": o.student.failed,
        "award": [on for _, kind, on in o.events if kind == "award"],
    }[c["of"]]

    def earlier(on: date) -> int:
        return len({
            then
            for then in occasions
            if then < on
            and ("window_months" not in c or on < later(then, c["window_months"]))
            and (not c.get("calendar_year") or then.year == on.year)
        })  # fmt: skip

    return Finding(earlier(day) < c["n"], earlier(o.as_of), c["n"])


KINDS: Final[dict[str, Callable[[Oracle, dict[str, Any], date, Start], Finding]]] = {
    "time_in_rank": time_in_rank,
    "attendance_count": attendance_count,
    "attendance_rate": attendance_rate,
    "age": age,
    "rank_held_before": rank_held_before,
    "points": points,
    "achievement": once("achievement"),
    "skills": skills,
    "document": once("document"),
    "approval": approval,
    "credential": once("credential"),
    "event_count": event_count,
    "standing": standing,
    "retest_gap": retest_gap,
    "total_training_time": total_training_time,
    "at_most": at_most,
}
