"""The demo dojos: two small ones of `make run`, and the big one of `make demo-big`.

They are created once for this file and purged afterwards, outside any transaction, since provisioning uses two logins.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import Count, F, Max, Min
from django.test.utils import CaptureQueriesContext
from pyotp import TOTP

from demo import big
from demo.build import make_demo_dojos
from demo.dojos import BIG, DEMO_DOJOS, DEMO_PASSWORD, SEISHIN, TORA, DemoDojo
from demo.integrations import DEMO_TOTP_SECRET
from demo.management.commands import demo_big
from shared_apps.accounts.models import ApiKey, Role, User
from shared_apps.tenants.lifecycle import purge
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.models import Exam
from tenant_apps.ranks.models import RankSystem
from tenant_apps.ranks.services import rules_in_force
from tenant_apps.students.models import (
    EligibilitySnapshot,
    Guardian,
    RankEvent,
    Student,
    StudentFact,
    StudentNote,
)
from tests.support.clients import Caller
from tests.support.now import NOW
from tests.support.responses import assert_error, ok

TODAY = NOW.date()
pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def _purge(slug: str) -> None:
    with platform_scope():
        tenant = Tenant.objects.get(slug=slug)
        tenant.status = Tenant.Status.DELETING
        tenant.save()
        purge(tenant=tenant)


@pytest.fixture(scope="module")
def small_dojos(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[list[str], int]]:
    """The lines that were printed about the two dojos, and the number of statements for the first.

    The second dojo exists already, empty and with another password, as after a run that was killed.
    """
    with django_db_blocker.unblock():
        with platform_scope():
            admin = FirstAdmin(email=TORA.address("admin"), password_hash="!")
            create_tenant(name=TORA.name, slug=TORA.slug, timezone=TORA.timezone, admin=admin, now=NOW)
        lines = make_demo_dojos(now=NOW)
        with CaptureQueriesContext(connection) as statements:
            first = next(lines)
        printed = [first, *lines]
    yield printed, len(statements)
    with django_db_blocker.unblock():
        for dojo in DEMO_DOJOS:
            _purge(dojo.slug)


@dataclass(frozen=True)
class Size:
    """The size of a big dojo: the first run is killed after a chunk of students, the second completes them."""

    dojo: DemoDojo
    students: int
    attendances: int
    chunk: int


TUESDAYS = tuple(replace(weekly, weekdays=("tu",)) for weekly in BIG.timetable if "tu" in weekly.weekdays)
SMALL = Size(replace(BIG, timetable=TUESDAYS), students=50, attendances=1_000, chunk=20)
FULL = Size(BIG, students=600, attendances=30_000, chunk=250)


@pytest.fixture(
    scope="module",
    params=[pytest.param(SMALL, id="small"), pytest.param(FULL, id="full", marks=pytest.mark.volume)],
)
def size(request: pytest.FixtureRequest) -> Size:
    found: Size = request.param
    return found


@pytest.fixture(scope="module")
def printed(size: Size, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The output of the second run for the big dojo."""
    with (
        django_db_blocker.unblock(),
        clock.fixed(NOW),
        platform_scope(),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(big, "CHUNK", size.chunk)
        patch.setattr(demo_big, "BIG", size.dojo)
        wanted = big.BigDojo(size.dojo, students=size.students, attendances=size.attendances)
        tenant, number = big.find_or_make(wanted, now=NOW)
        assert number == 0
        assert next(big.fill(wanted, tenant, now=NOW)) == size.chunk
        output = run_demo_big(size)
    yield output
    with django_db_blocker.unblock():
        _purge(BIG.slug)


@pytest.fixture
def seishin(small_dojos: object) -> TenantScope:
    return _scope(SEISHIN.slug)


@pytest.fixture
def tora(small_dojos: object) -> TenantScope:
    return _scope(TORA.slug)


@pytest.fixture(params=[SEISHIN.slug, TORA.slug])
def in_dojo(small_dojos: object, request: pytest.FixtureRequest) -> Iterator[TenantScope]:
    """Each of the two small dojos, with its scope in force."""
    with tenant_scope(_scope(request.param)) as scope:
        yield scope


@pytest.fixture
def in_big(printed: str) -> Iterator[TenantScope]:
    """The big dojo, with its scope in force."""
    with tenant_scope(_scope(BIG.slug)) as scope:
        yield scope


def _scope(slug: str) -> TenantScope:
    with platform_scope():
        return Tenant.objects.with_primary_domain().get(slug=slug).scope


def run_demo_big(size: Size, *args: str) -> str:
    """Run the command and return what it printed."""
    out = StringIO()
    options = [f"--students={size.students}", f"--attendances={size.attendances}", *args]
    with clock.fixed(NOW), platform_scope():
        call_command("demo_big", *options, stdout=out)
    return out.getvalue()


def _counts() -> dict[str, int]:
    models = (
        User,
        Student,
        Guardian,
        Enrolment,
        ClassSession,
        Attendance,
        RankEvent,
        StudentFact,
        StudentNote,
    )
    return {model.__name__: model.objects.count() for model in models}


def test_the_output_says_where_the_dojos_are_and_how_to_sign_in(small_dojos: tuple[list[str], int]) -> None:
    lines, _ = small_dojos
    assert len(lines) == 6
    assert lines[0] == f"dojo  http://seishin.localhost:8000  admin admin@seishin.example / {DEMO_PASSWORD}"
    assert lines[2] == f"      and two-steps@seishin.example, with the second factor {DEMO_TOTP_SECRET}"
    assert lines[3].startswith("dojo  http://tora.localhost:8000  admin admin@tora.example / ")


def test_a_dojo_takes_fewer_than_230_statements(small_dojos: tuple[list[str], int]) -> None:
    assert small_dojos[1] < 230


def test_each_dojo_has_eighty_students_and_its_own_art(seishin: TenantScope, tora: TenantScope) -> None:
    presets = []
    for tenant in (seishin, tora):
        with tenant_scope(tenant):
            assert Student.objects.count() == 80
            presets.append(RankSystem.objects.get().preset)
    assert presets == ["aikikai", "ibjjf-adult"]


def test_both_dojos_have_the_same_names_and_different_ids(seishin: TenantScope, tora: TenantScope) -> None:
    names, ids = [], []
    for tenant in (seishin, tora):
        with tenant_scope(tenant):
            names.append(sorted(Student.objects.values_list("first_name", "last_name", "email")))
            ids.append(set(Student.objects.values_list("pk", flat=True)))
    assert names[0] == names[1]
    assert not ids[0] & ids[1]


def test_an_api_key_that_no_one_knows_and_a_webhook_that_sends_nothing_are_there(
    in_dojo: TenantScope,
) -> None:
    key, webhook = ApiKey.objects.get(), Webhook.objects.get()
    assert (key.user.role, key.read_only, key.last_used_at) == ("assistant", True, None)
    assert (webhook.is_active, webhook.url) == (False, "https://hooks.example.com/tatami")
    assert not WebhookDelivery.objects.exists()


def test_a_demo_user_signs_in_with_a_second_factor(seishin: TenantScope) -> None:
    caller = Caller("seishin.localhost")
    with clock.fixed(NOW), tenant_scope(seishin):
        body = {"email": "two-steps@seishin.example", "password": DEMO_PASSWORD}
        asked = assert_error(caller.post("/auth/login", body), 401, "second_factor_required")
        code = TOTP(DEMO_TOTP_SECRET).at(int(NOW.timestamp()))
        answer = caller.post("/auth/second-factor", {"challenge": asked["challenge"], "code": code})
        assert ok(answer)["user"]["role"] == "assistant"


def test_students_are_of_all_ages(in_dojo: TenantScope) -> None:
    ages = [
        (TODAY - birth_date).days // 365.25
        for birth_date in Student.objects.values_list("birth_date", flat=True)
    ]
    by_decade = Counter(age // 10 * 10 for age in ages)
    assert set(by_decade) == {0, 10, 20, 30, 40, 50, 60, 70}
    assert min(ages) >= 5


def test_minors_have_guardians_and_siblings_share_them(in_dojo: TenantScope) -> None:
    youngest_adult = TODAY - timedelta(days=round(18 * 365.25))
    minors = Student.objects.filter(birth_date__gt=youngest_adult)
    assert minors.count() > 20
    assert not minors.filter(guardian_links__isnull=True).exists()
    shared = Guardian.objects.annotate(children=Count("student_links")).filter(children__gte=2)
    assert shared.count() >= 4


def test_three_classes_a_week_reach_from_seven_months_ago_to_eight_weeks_ahead(in_dojo: TenantScope) -> None:
    assert sorted(TrainingClass.objects.values_list("class_type", flat=True)) == ["adults", "kids", "mixed"]
    weeks = Counter(
        day.isocalendar()[:2] for day in ClassSession.objects.values_list("local_date", flat=True)
    )
    assert set(list(weeks.values())[1:-1]) == {3}
    dates = ClassSession.objects.aggregate(first=Min("local_date"), last=Max("local_date"))
    assert dates["first"] <= TODAY - timedelta(weeks=29)
    assert dates["last"] >= TODAY + timedelta(weeks=7)


def test_six_months_of_attendance_are_plausible(in_dojo: TenantScope) -> None:
    rows = Attendance.objects.select_related("student", "class_session")
    enrolled = set(Enrolment.objects.values_list("student", "training_class"))
    assert 1_500 < len(rows) < 4_000
    for row in rows:
        session, student = row.class_session, row.student
        assert session.ends_at <= NOW
        assert (
            session.starts_at - timedelta(minutes=30)
            <= row.checked_in_at
            <= session.starts_at + timedelta(hours=1)
        )
        assert row.late == (row.checked_in_at >= session.starts_at + timedelta(minutes=10))
        assert session.local_date >= student.joined_on
        assert (student.pk, session.training_class_id) in enrolled
        is_child = (session.local_date - student.birth_date).days < 13 * 365
        assert not (session.class_type == "adults" and is_child)
    days = [row.class_session.local_date for row in rows]
    assert TODAY - timedelta(weeks=27) < min(days) < TODAY - timedelta(weeks=25)
    assert max(days) > TODAY - timedelta(weeks=1)


def test_some_students_train_regularly_some_have_left_and_some_have_just_begun(in_dojo: TenantScope) -> None:
    students = Student.objects.annotate(
        visits=Count("attendances"), last=Max("attendances__class_session__local_date")
    )
    assert students.filter(visits__gte=40).count() >= 10
    inactive = students.filter(status=Student.Status.INACTIVE)
    assert inactive.count() >= 5
    assert all(student.last is None or student.last < TODAY - timedelta(days=30) for student in inactive)
    assert students.filter(joined_on__gt=TODAY - timedelta(weeks=16), visits__gt=0).count() >= 5
    assert students.filter(status=Student.Status.TRIAL).exists()


def test_rank_histories_climb_one_rank_at_a_time(in_dojo: TenantScope) -> None:
    events = RankEvent.objects.select_related("rank", "student").order_by(
        "student", "effective_on", "rank__position"
    )
    (rules,) = rules_in_force(on=TODAY)
    held: dict[Any, tuple[str | None, date]] = {}
    for event in events:
        code, since = held.get(event.student_id, (None, event.student.birth_date))
        assert rules.definition.step(code, event.rank.code) is not None
        assert since < event.effective_on <= TODAY
        held[event.student_id] = event.rank.code, event.effective_on
    assert {event.kind for event in events} == {RankEvent.Kind.IMPORT, RankEvent.Kind.AWARD}
    assert len(held) >= 60


def test_awards_come_from_exams_with_decisions_and_certificates(in_dojo: TenantScope) -> None:
    examined = RankEvent.objects.filter(kind=RankEvent.Kind.AWARD, candidate__isnull=False)
    assert examined.count() >= 3
    assert not examined.filter(decision__isnull=True).exists()
    assert not examined.filter(certificate__isnull=True).exists()
    assert not examined.exclude(candidate__exam__date=F("effective_on")).exists()
    planned = Exam.objects.get(finished_at__isnull=True)
    assert planned.date > TODAY
    assert planned.candidates.exists()


def test_some_students_are_eligible_now_and_some_are_not(in_dojo: TenantScope) -> None:
    answers = Check(students=list(Student.objects.promotable()), as_of=TODAY).results()
    statuses = Counter(answer.step.status.value for answer in answers)
    assert statuses["eligible"] >= 3
    assert EligibilitySnapshot.objects.filter(status="eligible", as_of=TODAY).count() == statuses["eligible"]
    assert statuses["not_eligible"] >= 20


def test_there_are_opening_balances_documents_and_notes(in_dojo: TenantScope) -> None:
    kinds = Counter(StudentFact.objects.values_list("kind", flat=True))
    assert kinds["opening_attendance"] >= 20
    assert kinds["document"] >= 5
    assert StudentNote.objects.count() >= 5
    assert Student.objects.exclude(medical_notes="").count() == 3


@pytest.mark.parametrize("dojo", [SEISHIN, TORA], ids=lambda dojo: dojo.slug)
def test_all_demo_users_sign_in_with_the_same_password(small_dojos: object, dojo: Any, now: object) -> None:
    roles = {}
    for user in ("admin", "instructor", "assistant", "student", "parent"):
        caller = Caller(host=f"{dojo.slug}.localhost")
        answer = caller.post("/auth/login", {"email": dojo.address(user), "password": DEMO_PASSWORD})
        assert answer.status_code == 200, answer.content
        caller.token = answer.json()["access"]
        me = caller.get("/me").json()
        roles[user] = me["role"], len(me["students"])
    assert roles == {
        "admin": (Role.ADMIN, 0),
        "instructor": (Role.INSTRUCTOR, 0),
        "assistant": (Role.ASSISTANT, 0),
        "student": (Role.STUDENT, 1),
        "parent": (Role.STUDENT, 2),
    }


def test_a_second_run_changes_nothing(in_dojo: TenantScope) -> None:
    before = _counts()
    lines = list(make_demo_dojos(now=NOW + timedelta(days=40)))
    assert [line.split()[0] for line in lines] == ["dojo", "dojo"]
    assert _counts() == before


def test_a_dojo_that_is_not_a_demo_is_left_alone(seishin: TenantScope) -> None:
    with tenant_scope(seishin):
        User.objects.filter(role=Role.ADMIN).update(email="me@mine.org", email_key="me@mine.org")
        Attendance.objects.all().delete()
    lines = list(make_demo_dojos(now=NOW))
    assert "not a demo" in lines[0]
    with tenant_scope(seishin):
        assert not Attendance.objects.exists()


def test_the_big_dojo_has_the_numbers_that_were_asked_for(in_big: TenantScope, size: Size) -> None:
    assert Student.objects.count() == size.students
    assert Attendance.objects.count() == size.attendances
    assert Attendance.objects.values("student", "class_session").distinct().count() == size.attendances
    assert not Attendance.objects.filter(class_session__local_date__lt=F("student__joined_on")).exists()
    assert not Attendance.objects.filter(class_session__ends_at__gt=NOW).exists()


def test_the_big_dojo_has_years_of_classes_and_ranks(in_big: TenantScope) -> None:
    first = Attendance.objects.aggregate(first=Min("class_session__local_date"))["first"]
    assert first < TODAY - timedelta(days=1_000)
    a_tuesday = ClassSession.objects.filter(local_date=TODAY - timedelta(days=6))
    assert a_tuesday.count() >= 5
    assert RankEvent.objects.filter(kind=RankEvent.Kind.AWARD).exists()


def test_a_run_continues_where_a_killed_run_stopped(printed: str, size: Size) -> None:
    assert f"{size.students} of {size.students} students" in printed
    last_line = printed.splitlines()[-1]
    assert last_line.startswith(f"{size.students} students, {size.attendances:,} attendances in ")


def test_the_planner_has_statistics_of_the_big_tables(
    in_big: TenantScope, size: Size, as_owner: psycopg.Connection[Any]
) -> None:
    table = f"{in_big.schema_name}.attendance_attendance"
    row = as_owner.execute("SELECT reltuples::int FROM pg_class WHERE oid = %s::regclass", [table]).fetchone()
    assert row == (size.attendances,)


def test_another_run_says_that_all_is_there_and_changes_nothing(in_big: TenantScope, size: Size) -> None:
    before = _counts()
    assert "already; nothing was changed" in run_demo_big(size)
    assert _counts() == before


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--slug=aiki", "is not a demo"),
        ("--slug=seishin", "one of the small demo dojos"),
        ("--slug=www", "cannot be a dojo's subdomain"),
        ("--slug=Not valid", "cannot be a dojo's subdomain"),
        ("--students=0", "from 1 to"),
        ("--attendances=100000", "from 0 to 150 times"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: str, error: str) -> None:
    with pytest.raises(CommandError, match=error):
        run_demo_big(SMALL, option)
