"""Random answers of `POST /promotions/check` agree with a second reading of the rule books: all presets and anchors.

The numbers of students and days are drawn with a fixed seed, so every run compares the same answers.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.models import ClassSession, Enrolment, PastEnrolment, TrainingClass
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.students.models import RankEvent, Student, StudentFact, StudentHold, StudentUser
from tenant_apps.students.services import new_check_in_id
from tests.promotions.oracle import HORIZON, Fact, Learner, Oracle, Session, later
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.sizes import small_or_full

pytestmark = pytest.mark.slow

AS_OF: Final = date(2026, 6, 1)
DAY: Final = timedelta(days=1)
FIRST, LAST = date(2025, 9, 1), date(2026, 9, 30)


def path(name: str, *criteria: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "criteria": list(criteria)}


def own(name: str, ranks: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": 1, "name": name, "art": "Any", "source": "This test", "confidence": "C",
        "ranks": [{"code": code, "name": code.upper()} for code in ranks], "steps": steps,
    }  # fmt: skip


def rate(percent: int, **more: Any) -> dict[str, Any]:
    return {"kind": "attendance_rate", "percent": percent, **more}


def count(n: int, unit: str, **more: Any) -> dict[str, Any]:
    return {"kind": "attendance_count", "n": n, "unit": unit, **more}


def wait(months: int, **more: Any) -> dict[str, Any]:
    return {"kind": "time_in_rank", "months": months, **more}


def seminars(n: int, **more: Any) -> dict[str, Any]:
    return {"kind": "event_count", "event": "seminar", "n": n, **more}


def most(n: int, of: str, **more: Any) -> dict[str, Any]:
    return {"kind": "at_most", "n": n, "of": of, **more}


RATES = own("Rates", "abc", [
    {"from": None, "to": "a", "paths": [path("all", rate(40)), path("recent", rate(50, window_months=2))]},
    {"from": "a", "to": "b", "paths": [
        path("enrolled", rate(50)),
        path("discipline", rate(35, of="discipline")),
        path("seminars", rate(30, of="class_types", class_types=["seminar"])),
        path("recent", rate(60, window_months=3), {"kind": "standing"}),
    ]},
    {"from": "b", "to": "c", "anchor": "last_test", "paths": [
        path("since the test", rate(45)),
        path("window", rate(45, window_months=1)),
    ]},
])  # fmt: skip
ANCHORS = own("Anchors", "abcd", [
    {"from": None, "to": "a", "anchor": "last_test", "paths": [path("days", count(10, "day"))]},
    {"from": "a", "to": "b", "anchor": "last_test", "paths": [
        path("wait", wait(4, active_only="not_on_hold"), {"kind": "retest_gap", "months": 2}),
        path("count", count(20, "session", max_per_day=1), {"kind": "document", "which": "essay"}),
        path("points", {"kind": "points", "n": 4}, {"kind": "approval", "which": "exam", "count": 2}),
        path("events", seminars(2)),
    ]},
    {"from": "b", "to": "c", "paths": [
        path("test", count(12, "hour", since="last_test"), most(2, "exam", calendar_year=True)),
        path("year", most(1, "award", window_months=12), seminars(2, window_months=4)),
    ]},
    {"from": "a", "to": "d", "type": "skip", "paths": [
        path("jump", {"kind": "total_training_time", "months": 30}, {"kind": "age", "min": 15}),
    ]},
    {"from": "b", "to": "d", "type": "convert", "clock": "carries", "paths": [
        path("grown", {"kind": "age", "min": 15}),
    ]},
    {"from": "d", "to": "c", "type": "convert", "clock": "carries", "paths": [path("back", wait(9))]},
])  # fmt: skip
RECORDS = own("Records", "abc", [
    {"from": None, "to": "a", "paths": [
        path("since joining", count(15, "day", since="enrolment"), {"kind": "skills", "which": ["ukemi", "kata"]}),
    ]},
    {"from": "a", "to": "b", "paths": [
        path("lifetime", count(30, "session", since="ever", any_discipline=True, min_minutes=60)),
        path(
            "types",
            count(3, "day", class_types=["seminar"]),
            {"kind": "credential", "which": "first aid", "max_age_months": 12},
        ),
        path(
            "condition",
            wait(8, applies_if={"kind": "age", "max": 14}),
            {"kind": "approval", "which": "exam", "by": "instructor"},
        ),
        path(
            "titles",
            {"kind": "achievement", "which": "champion", "at_rank": "a"},
            {"kind": "points", "n": 3, "category": "kata"},
        ),
    ]},
    {"from": "b", "to": "c", "paths": [
        path("before", {"kind": "rank_held_before", "ranks": ["a"], "min_months": 3, "registered_at_age": {"min": 12}}),
        path("head", {"kind": "approval", "which": "exam", "by": "admin"}, most(1, "failed_exam")),
    ]},
])  # fmt: skip


class World:
    """A dojo with a schedule, and random students in one rank system after the other."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo, self.random = dojo, Random(20260601)
        self.art = factories.discipline(dojo, "Art")
        self.other = factories.discipline(dojo, "Other")
        self.rates = dojo.create("/rank-systems", {**RATES, "discipline": self.art["id"]})
        self.staff = {"admin": dojo.admin.user, "instructor": dojo.instructor.user}
        with tenant_scope(dojo.tenant):
            self.classes = {
                name: TrainingClass.objects.create(name=name, class_type=kind, recurrence={})
                for name, kind in (
                    ("adults", "adults"),
                    ("kids", "kids"),
                    ("hall 2", "adults"),
                    ("seminar", "seminar"),
                )
            }
            self.sessions = list(self._sessions())
            self.rows = ClassSession.objects.bulk_create(map(self._row, self.sessions))

    def _sessions(self) -> Iterator[Session]:
        """Yield a year of sessions: parallel halls, some that were cancelled, do not count, or need a rank."""
        plan = {
            "adults": (0, 18 * 60, 90),
            "hall 2": (0, 18 * 60, 60),
            "kids": (2, 16 * 60, 45),
            "seminar": (5, 10 * 60, 120),
        }
        day = FIRST
        while day <= LAST:
            for name, (weekday, starts, minutes) in plan.items():
                if day.weekday() in {weekday, (weekday + 3) % 7}:
                    luck = self.random.random()
                    yield Session(
                        day, starts, starts + minutes, name, self.classes[name].class_type,
                        held=luck > 0.1, counts=not 0.1 < luck < 0.15, in_discipline=not 0.15 < luck < 0.22,
                        min_rank=self.random.choice("ab") if 0.22 < luck < 0.3 else None,
                    )  # fmt: skip
            day += DAY

    def _row(self, session: Session) -> ClassSession:
        starts = datetime.combine(session.on, time(), UTC) + timedelta(minutes=session.starts)
        ranks = {rank["code"]: rank["id"] for rank in self.rates["ranks"]}
        return ClassSession(
            training_class=self.classes[session.training_class],
            name=session.training_class,
            class_type=session.class_type,
            discipline_id=(self.art if session.in_discipline else self.other)["id"],
            starts_at=starts,
            ends_at=starts + timedelta(minutes=session.ends - session.starts),
            local_date=session.on,
            status="scheduled" if session.held else "cancelled",
            counts_toward_promotion=session.counts,
            min_rank_id=ranks[session.min_rank] if session.min_rank else None,
        )

    # --- students ---------------------------------------------------------------------------------------------

    def learner(self, document: dict[str, Any]) -> Learner:
        """Return a random student, close to what one of the steps asks for."""
        random = self.random
        step = random.choice(document["steps"])
        asked = [one for way in step["paths"] for one in way["criteria"]]
        asked += [one["applies_if"] for one in asked if "applies_if" in one]
        ages = next(rank for rank in document["ranks"] if rank["code"] == step["to"]).get("holding_ages")
        years = [one[bound] for one in [*asked, ages or {}] for bound in ("min", "max") if bound in one]
        student = Learner(active=random.random() < 0.93)
        if random.random() < 0.9:
            age = random.choice(years or [10, 16, 30]) + random.choice([0, 0, 0, 1])
            student.birth = later(AS_OF, -12 * age) + random.randint(-40, 40) * DAY
        months = [one["months"] for one in asked if "months" in one] or [6]
        held_on = later(AS_OF, -random.choice(months)) + random.randint(-60, 45) * DAY
        held_on = min(max(held_on, date(1990, 1, 1)), AS_OF)
        if random.random() < 0.85:
            student.joined = held_on - random.choice([0, 0, 1, 200, 700]) * DAY
        self._add_ranks(student, document, step["from"], held_on)
        for criterion in asked:
            self._add_facts(student, criterion, held_on)
        if random.random() < 0.3:
            hold = held_on + random.randint(1, 200) * DAY
            student.holds.append((hold, hold + random.randint(0, 60) * DAY))
        for dates in (student.failed, student.passed):
            if random.random() < 0.35:
                dates.append(AS_OF - random.randint(1, 300) * DAY)
        share = random.choice([0, 0.1, 0.3, 0.5, 0.9])
        student.visits = [s for s in self.sessions if random.random() < share and s.on <= AS_OF + 20 * DAY]
        for name in self.classes:
            if random.random() < 0.4:
                first = random.choice([held_on, FIRST, AS_OF - 100 * DAY])
                last = random.choice([None, None, first + random.randint(0, 200) * DAY])
                student.enrolments.append((name, first, last))
        return student

    def _add_ranks(self, student: Learner, document: dict[str, Any], rank: str | None, on: date) -> None:
        if rank is None:
            return
        kind = self.random.choice(["award", "award", "import", "convert"])
        student.events.append((rank, kind, on))
        codes = [one["code"] for one in document["ranks"]]
        for _ in range(self.random.choice([0, 0, 1, 2])):
            on -= self.random.randint(20, 900) * DAY
            before = self.random.choice(codes)
            if before not in {code for code, _, _ in student.events}:
                student.events.append((before, self.random.choice(["award", "import"]), on))

    def _add_facts(self, student: Learner, criterion: dict[str, Any], since: date) -> None:
        random = self.random
        kind, which = criterion["kind"], criterion.get("which")
        on = since + random.choice([-30, 0, 1, 10, 100]) * DAY
        until = on + random.randint(0, 500) * DAY if random.random() < 0.2 else None
        if random.random() < 0.3 or kind not in {
            "document", "credential", "achievement", "approval", "skills", "points", "attendance_count", "time_in_rank",
            "event_count",
        }:  # fmt: skip
            return
        if kind == "time_in_rank":
            if criterion.get("active_only") == "member":
                student.facts.append(
                    Fact("membership", "IBJJF", since - random.choice([-50, 0, 400]) * DAY, until)
                )
        elif kind == "attendance_count":
            # What is missing beside the visits of a year, more or less.
            number = max(criterion["n"] - random.choice([0, 5, 20, 40, 100]), 0)
            unit = random.choice([None, None, None, "day", "session", "hour"])
            value = {"count": number, "unit": unit} if unit else number
            student.facts.append(Fact("opening_attendance", value, on, until))
        elif kind == "points":
            number = random.choice([1, criterion["n"] - 1, criterion["n"]])
            category = criterion.get("category") or ("kata" if random.random() < 0.3 else "")
            student.facts.append(
                Fact("points", {"points": number, "category": category} if category else number, on, until)
            )
        elif kind == "approval":
            for _ in range(random.choice([1, 2])):
                role = random.choice(["admin", "instructor"])
                family = role == "instructor" and random.random() < 0.2
                student.facts.append(Fact("approval", which, on, until, by=role, role=role, by_family=family))
        elif kind == "skills":
            student.facts += [Fact("skill", name, on, until) for name in which if random.random() < 0.8]
        elif kind == "event_count":
            student.facts.append(Fact("achievement", criterion["event"], on, until))
        else:
            student.facts.append(Fact(kind, which, on, until))

    # --- in the database --------------------------------------------------------------------------------------

    def save(self, system: dict[str, Any], learners: list[Learner]) -> list[str]:
        """Store the students in bulk, as years of use would have, and return their ids."""
        ranks = {rank["code"]: rank["id"] for rank in system["ranks"]}
        students = [
            Student(
                first_name="N",
                last_name="N",
                check_in_id=new_check_in_id(),
                birth_date=one.birth,
                joined_on=one.joined,
                status="active" if one.active else "inactive",
            )
            for one in learners
        ]
        for student in students:
            student.set_search_name()
        Student.objects.bulk_create(students)
        for student, one in zip(students, learners, strict=True):
            families = {fact.by for fact in one.facts if fact.by_family}
            for fact in one.facts:
                fact.by_family = fact.by in families
            StudentUser.objects.bulk_create(
                StudentUser(student=student, user=self.staff[by]) for by in families
            )
            RankEvent.objects.bulk_create(
                RankEvent(
                    student=student, system_id=system["id"], rank_id=ranks[code], kind=kind, effective_on=on
                )
                for code, kind, on in one.events
            )
            StudentFact.objects.bulk_create(
                StudentFact(
                    student=student, rank_system_id=system["id"], kind=fact.kind, value=fact.value, on=fact.on,
                    expires_on=fact.until, recorded_by=self.staff.get(fact.by),
                )
                for fact in one.facts
            )  # fmt: skip
            StudentHold.objects.bulk_create(
                StudentHold(student=student, starts_on=first, until=last) for first, last in one.holds
            )
            Enrolment.objects.bulk_create(
                Enrolment(student=student, training_class=self.classes[name], starts_on=first)
                for name, first, last in one.enrolments
                if last is None
            )
            PastEnrolment.objects.bulk_create(
                PastEnrolment(student=student, training_class=self.classes[name], starts_on=first, until=last)
                for name, first, last in one.enrolments
                if last is not None
            )
            for outcome, dates in (("failed", one.failed), ("passed", one.passed)):
                for on in dates:
                    exam = Exam.objects.create(
                        name="Exam", date=on, rank_system_id=system["id"], finished_at=clock.now()
                    )
                    target = next(iter(ranks.values()))
                    Candidate.objects.create(exam=exam, student=student, target_id=target, outcome=outcome)
        came = {id(session): row for session, row in zip(self.sessions, self.rows, strict=True)}
        Attendance.objects.bulk_create(
            Attendance(student=student, class_session=came[id(s)], checked_in_at=clock.now(), method="manual")
            for student, one in zip(students, learners, strict=True)
            for s in one.visits
        )
        return [str(student.pk) for student in students]

    # --- the comparison ---------------------------------------------------------------------------------------

    def compare(self, system: dict[str, Any], number: int) -> int:
        """Compare the answers about so many students; return how many answers there were."""
        document = ok(self.dojo.admin.get(f"/rank-systems/{system['id']}/rules"))
        learners = [self.learner(document) for _ in range(number)]
        with tenant_scope(self.dojo.tenant):
            ids = self.save(system, learners)
        body = {"students": ids, "rank_system": system["id"], "as_of": AS_OF.isoformat()}
        results = ok(self.dojo.admin.post("/promotions/check", body))["results"]
        codes = {rank["id"]: rank["code"] for rank in system["ranks"]}
        is_own = system["id"] == self.rates["id"]
        seen = {
            id(s): s if is_own or s.min_rank is None else replace(s, min_rank="other") for s in self.sessions
        }
        for student, one in zip(ids, learners, strict=True):
            one.visits = [seen[id(visit)] for visit in one.visits]
            found = [result for result in results if result["student"]["id"] == student]
            expected = Oracle(document, one, AS_OF, seen.values()).answers()
            assert [codes[result["target_rank"]["id"]] for result in found] == [
                x["target"] for x in expected
            ], one
            for result, answer in zip(found, expected, strict=True):
                assert shown(result) == expected_of(answer, result), (document["name"], result, one)
        return len(results)


def near(day: str | date | None) -> date | None:
    """Return a date within the horizon of the oracle; None for dates beyond it."""
    found = date.fromisoformat(day) if isinstance(day, str) else day
    return found if found and abs((found - AS_OF).days) < HORIZON else None


def is_ordered_by_near_dates(result: dict[str, Any]) -> bool:
    """Return whether the oracle can know which path is the best: none opens beyond its horizon."""
    return all(near(way["earliest_on"]) or not way["earliest_on"] for way in result["paths"])


def shown(result: dict[str, Any]) -> dict[str, Any]:
    paths = {way["path"]: one_path(way) for way in result["paths"]}
    found = {"type": result["type"], "paths": paths}
    if is_ordered_by_near_dates(result):
        found |= {
            "status": result["status"],
            "path": result["path"],
            "earliest_on": near(result["earliest_on"]),
            "order": [way["path"] for way in result["paths"]],
        }
    return found


def expected_of(answer: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    paths = {way["path"]: one_path(way) for way in answer["paths"]}
    found = {"type": answer["type"], "paths": paths}
    if is_ordered_by_near_dates(result):
        found |= {
            "status": answer["status"],
            "path": answer["path"],
            "earliest_on": near(answer["earliest_on"]),
            "order": [way["path"] for way in answer["paths"]],
        }
    return found


def one_path(way: dict[str, Any]) -> dict[str, Any]:
    names = ("kind", "status", "have", "need")
    criteria = [{name: criterion[name] for name in names} for criterion in way["criteria"]]
    return {"status": way["status"], "earliest_on": near(way["earliest_on"]), "criteria": criteria}


@small_or_full("students", small=6, full=120)
def test_all_rule_books_agree_with_a_second_reading(dojo: Dojo, students: int) -> None:
    world = World(dojo)
    presets = [one["key"] for one in ok(dojo.admin.get("/rank-systems/presets"))]
    presets.remove("znkr-shogo")  # a list of titles, without steps
    presets.remove("ibjjf-kids-quarterly")  # steps from stripes: the oracle reads steps between ranks only
    systems = [factories.rank_system(dojo, key, discipline=world.art["id"]) for key in presets]
    systems += [
        dojo.create("/rank-systems", {**one, "discipline": world.art["id"]}) for one in (ANCHORS, RECORDS)
    ]
    systems.append(world.rates)
    answers = sum(world.compare(system, students) for system in systems)
    assert answers >= students * len(systems), "steps to several ranks have several answers"
    if students > 100:
        assert answers >= 2_000
