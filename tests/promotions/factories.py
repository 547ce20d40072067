"""Dojos and students with ranks, and what tests of promotions do with them: all over HTTP."""

from datetime import date, timedelta
from typing import Any

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.students.models import RankEvent, Student
from tenant_apps.students.services import new_check_in_id
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok

EVERY_DAY = ["mo", "tu", "we", "th", "fr", "sa", "su"]

OUR_GRADES: dict[str, Any] = {
    "format": 1,
    "name": "Our grades",
    "art": "Aikido",
    "source": "Our dojo",
    "confidence": "C",
    "ranks": [
        {"code": code, "name": code.title(), "kind": "rank", "colours": ["#ffffff"]}
        for code in ("white", "yellow", "green", "blue")
    ],
    "steps": [
        {"from": None, "to": "white", "type": "promote", "paths": [{"name": "first", "criteria": []}]},
        {
            "from": "white",
            "to": "yellow",
            "type": "promote",
            "paths": [{"name": "wait", "criteria": [{"kind": "time_in_rank", "months": 3}]}],
        },
        {"from": "yellow", "to": "green", "type": "promote", "paths": [{"name": "any", "criteria": []}]},
        {"from": "yellow", "to": "blue", "type": "promote", "paths": [{"name": "any", "criteria": []}]},
    ],
}


def create_students(number: int) -> list[Student]:
    """Create students N0, N1, … in the dojo whose scope is in force."""
    students = [
        Student(first_name=f"N{n}", last_name="Of many", check_in_id=new_check_in_id()) for n in range(number)
    ]
    for student in students:
        student.set_search_name()
    return list(Student.objects.bulk_create(students))


class RankedStudent:
    """A student of a dojo that teaches one art by one preset."""

    def __init__(self, dojo: Dojo, preset: str, **student: Any) -> None:
        self.dojo = dojo
        self.art = factories.discipline(dojo, preset)
        self.system = factories.rank_system(dojo, preset, discipline=self.art["id"])
        self.student = factories.student(dojo, **student)

    def add_rank(self, code: str, since: str, kind: str = "import") -> None:
        factories.rank_event(self.dojo, self.student, factories.rank_id(self.system, code), since, kind)

    def add_fact(self, kind: str, value: Any, on: str, **fields: Any) -> dict[str, Any]:
        return factories.fact(
            self.dojo, self.student, kind, value, on, rank_system=self.system["id"], **fields
        )

    def add_training(self, first: str, days: int, start_time: str = "18:30") -> None:
        """Record attendance on consecutive days."""
        last = (date.fromisoformat(first) + timedelta(days=days - 1)).isoformat()
        daily = {
            "weekdays": EVERY_DAY,
            "start_time": start_time,
            "duration_minutes": 90,
            "from": first,
            "until": last,
        }
        group = factories.training_class(self.dojo, recurrence=daily, discipline=self.art["id"])
        query = {"class": group["id"], "from": first, "to": last, "page_size": "200"}
        sessions = factories.list_sessions(self.dojo, **query)
        assert len(sessions) == days
        for session in sessions:
            factories.attendance(self.dojo, self.student, session)

    def check(self, target: str, as_of: str) -> dict[str, Any]:
        """Return the check result for one rank."""
        body = {
            "students": [self.student["id"]],
            "target_rank": factories.rank_id(self.system, target),
            "as_of": as_of,
        }
        (result,) = ok(self.dojo.admin.post("/promotions/check", body))["results"]
        assert result["target_rank"]["id"] == body["target_rank"]
        return dict(result)

    def is_eligible(self, target: str, as_of: str) -> bool:
        """Return whether the student is eligible. If so, every criterion is met."""
        result = self.check(target, as_of)
        if result["status"] != "eligible":
            return False
        assert {criterion["status"] for criterion in result["criteria"]} <= {"met"}, result
        return True

    def earliest(self, target: str, as_of: str, kind: str) -> str | None:
        """Return the earliest date of the criterion of this kind."""
        (criterion,) = (one for one in self.check(target, as_of)["criteria"] if one["kind"] == kind)
        return str(criterion["earliest_on"]) if criterion["earliest_on"] else None

    def unmet(self, target: str, as_of: str) -> dict[str, Any]:
        """Return the criteria that are not met: kind → have and need."""
        result = self.check(target, as_of)
        assert result["status"] == "not_eligible", result
        return {c["kind"]: (c["have"], c["need"]) for c in result["criteria"] if c["status"] != "met"}


def counts_add_up(batch: dict[str, Any]) -> bool:
    """Return whether the numbers of a batch's items add up to those that are done."""
    states = ("checked", "awarded", "refused", "failed", "cancelled", "reverted")
    return bool(batch["done"] == sum(batch[state] for state in states) <= batch["total"])


class GradedDojo:
    """A dojo with our grades and two white belts: Ready is eligible for yellow today, Early is eligible tomorrow."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.system = dojo.create("/rank-systems", OUR_GRADES)
        self.ready = self.add_student("Ready", "2026-03-15")
        self.early = self.add_student("Early", "2026-03-16")

    def add_student(self, name: str, white_since: str, **fields: Any) -> dict[str, Any]:
        student = factories.student(self.dojo, first_name=name, **fields)
        factories.rank_event(self.dojo, student, self.rank("white"), white_since)
        return student

    def add_students(self, number: int) -> list[dict[str, Any]]:
        """Add students N0, N1, … who are eligible for yellow: with the ORM, because HTTP would take long."""
        with tenant_scope(self.dojo.tenant):
            students = create_students(number)
            white = {"system_id": self.system["id"], "rank_id": self.rank("white"), "kind": "import"}
            RankEvent.objects.bulk_create(
                RankEvent(student=student, effective_on="2026-01-01", **white) for student in students
            )
        return [{"id": str(student.pk)} for student in students]

    def rank(self, code: str) -> str:
        """Return the id of a rank."""
        return factories.rank_id(self.system, code)

    def rank_held(self, student: dict[str, Any]) -> str:
        """Return the code of the rank that a student holds."""
        (rank,) = ok(self.dojo.admin.get(f"/students/{student['id']}"))["ranks"]
        return str(rank["code"])

    def create_batch(self, *students: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return factories.batch(self.dojo, *students, **fields)

    def process_chunk(self, **fields: Any) -> str | None:
        """Run the job of batches once. `fields` are those of `JobRun`."""
        with tenant_scope(self.dojo.tenant):
            return run_batches(JobRun(now=clock.now(), **fields))

    def process_batches(self) -> None:
        """Run the job of batches until nothing is left."""
        while self.process_chunk() is not DONE:
            pass

    def read_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        return dict(ok(self.dojo.admin.get(batch["url"])))

    def batch_results(self, batch: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the results of a batch by the students' first names."""
        results = ok(self.dojo.admin.get(f"{batch['url']}/results?page_size=200"))["results"]
        return {one["student"]["name"].split()[0]: one for one in results}

    def take_snapshot(self, days: int = 0) -> int:
        """Run the nightly job to its end, so many days from now; return the number of chunks."""
        cursor: str | None = ""
        chunks = 0
        while cursor is not DONE:
            with tenant_scope(self.dojo.tenant):
                cursor = take_snapshot(JobRun(now=clock.now() + timedelta(days=days), cursor=cursor))
            chunks += 1
        return chunks

    def snapshot(self, query: str = "") -> list[tuple[str, str, str, str | None]]:
        """Return the snapshot as the assistant reads it: first name, target rank, status and earliest date."""
        rows = ok(self.dojo.assistant.get(f"/promotions/snapshot{query}"))["results"]
        return [
            (row["student"]["name"].split()[0], row["target_rank"]["name"], row["status"], row["earliest_on"])
            for row in rows
        ]


EXAM_DAY = "2026-06-15"


class ExamDojo(GradedDojo):
    """A graded dojo with an exam today. Ready and Second are eligible for yellow, Early is not."""

    def __init__(self, dojo: Dojo) -> None:
        super().__init__(dojo)
        self.second = self.add_student("Second", "2026-01-01")
        self.exam = factories.exam(dojo, self.system, EXAM_DAY, location="Main hall")
        self.path = f"/exams/{self.exam['id']}"

    def invite(self, *students: dict[str, Any], to: str = "yellow") -> list[dict[str, Any]]:
        body = {"candidates": [{"student": one["id"], "target_rank": self.rank(to)} for one in students]}
        return list(ok(self.dojo.instructor.post(f"{self.path}/candidates", body), 201)["results"])

    def candidates(self) -> dict[str, dict[str, Any]]:
        """Return the candidates by their first names."""
        found = ok(self.dojo.admin.get(f"{self.path}/candidates"))["results"]
        return {one["student"]["name"].split()[0]: one for one in found}

    def record_results(self, **outcomes: str | tuple[str, str]) -> Any:
        """Record outcomes by first name, each with a reason to override the rules or without one."""
        candidates = self.candidates()
        results = []
        for name, given in outcomes.items():
            outcome, reason = given if isinstance(given, tuple) else (given, "")
            more = {"override_reason": reason} if reason else {}
            results.append({"candidate": candidates[name]["id"], "outcome": outcome, **more})
        return self.dojo.instructor.post(f"{self.path}/results", {"results": results})

    def finish(self) -> Any:
        return self.dojo.instructor.post(f"{self.path}/finish")

    def pass_exam(self, *students: dict[str, Any]) -> list[dict[str, Any]]:
        """Invite students, let them pass, finish the exam, and return the rank events."""
        invited = self.invite(*students)
        results = [{"candidate": one["id"], "outcome": "passed"} for one in invited]
        ok(self.dojo.instructor.post(f"{self.path}/results", {"results": results}))
        return list(ok(self.finish())["rank_events"])
