"""The data of the comparison, as the peer's seed has it: 200 dojos, 100 students and 4,000 attendances in each.

Beyond the peer's, our students have guardians, cards and rank histories, because our responses show them. A fleet that
was made once is kept in the data folder and used again; only the sessions that are open for check-in are made anew.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, connections, transaction

from benchmarks.common import print_line
from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_session
from shared_apps.accounts.users import create_user
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.attendance.check_in.codes import CodeKind, make_token
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student
from tests.support.clients import Caller, Dojo

STUDENTS: Final = 100
PAST_SESSIONS: Final = 40
OPEN_SESSIONS: Final = 20
USERS: Final = 5
ADMIN: Final = "user1@example.com"
PASSWORD: Final = "a password for benchmarks only"  # noqa: S105

_STUDENTS: Final = """
INSERT INTO students_student (id, created_at, updated_at, first_name, last_name, search_name, email, phone, birth_date,
    gender, status, joined_on, external_id, medical_notes, check_in_id)
SELECT uuidv7(), %(now)s, %(now)s, first, last, lower(first || ' ' || last), 's' || n || '@example.com',
    '+49 30 ' || n, date '1975-01-01' + (n * 7919) %% 16000, '', 'active', %(today)s - 900, 'M-' || n, '',
    uuid_send(gen_random_uuid())
FROM (SELECT n, (ARRAY['Ana','Bruno','Carla','Diego','Eva','Felipe','Gina','Hugo','Iris','Joao'])[1 + n %% 10] AS first,
             'Lastname' || lpad(((n * 7919) %% 10007)::text, 5, '0') AS last
      FROM generate_series(1, %(students)s) n) made
"""
_CARDS: Final = """
INSERT INTO attendance_card (id, created_at, updated_at, student_id, code)
SELECT uuidv7(), %(now)s, %(now)s, id, uuid_send(gen_random_uuid()) FROM students_student
"""
_GUARDIANS: Final = """
WITH guardian AS (
    INSERT INTO students_guardian (id, created_at, updated_at, name, search_name, email, phone)
    SELECT uuidv7(), %(now)s, %(now)s, 'Guardian ' || external_id, 'guardian ' || external_id,
           'guardian-' || external_id || '@example.com', ''
    FROM students_student RETURNING id, name
)
INSERT INTO students_studentguardian (id, created_at, updated_at, student_id, guardian_id, relation)
SELECT uuidv7(), %(now)s, %(now)s, s.id, g.id, 'parent'
FROM guardian g JOIN students_student s ON g.name = 'Guardian ' || s.external_id
"""
_RANKS: Final = """
INSERT INTO students_rankevent (id, created_at, updated_at, student_id, system_id, rank_id, kind, effective_on, note,
    void_reason)
SELECT uuidv7(), %(now)s, %(now)s, s.id, r.system_id, r.id, 'import', %(today)s - 300, '', ''
FROM students_student s JOIN ranks_rank r ON r.position = 1
"""
_SESSIONS: Final = """
INSERT INTO classes_classsession (id, created_at, updated_at, name, starts_at, ends_at, local_date, status,
    cancel_reason, class_type, discipline_id, location, note, counts_toward_promotion, instructor_ids, set_by_hand)
SELECT uuidv7(), %(now)s, %(now)s, %(name)s, at, at + interval '1 hour', (at AT TIME ZONE 'Europe/Berlin')::date,
    'scheduled', '', '', (SELECT id FROM ranks_discipline LIMIT 1), '', '', true, '{}', '{}'
FROM (SELECT %(first)s + k * %(step)s::interval AS at FROM generate_series(0, %(sessions)s - 1) k) made
"""
_ATTENDANCE: Final = """
INSERT INTO attendance_attendance (id, created_at, updated_at, student_id, class_session_id, checked_in_at, method,
    late, void_reason)
SELECT uuidv7(), c.starts_at, c.starts_at, s.id, c.id, c.starts_at + interval '3 minutes', 'qr_card', false, ''
FROM classes_classsession c CROSS JOIN students_student s ORDER BY c.starts_at
"""
_FORGET_OPEN: Final = (
    "DELETE FROM attendance_attendance WHERE class_session_id IN"
    " (SELECT id FROM classes_classsession WHERE name = 'open now')",
    "DELETE FROM classes_classsession WHERE name = 'open now'",
)


@dataclass(frozen=True, slots=True)
class BenchDojo:
    """A dojo of the comparison: its people's tokens, the codes of its cards, its open sessions."""

    scope: TenantScope
    tokens: tuple[str, ...]
    cards: tuple[str, ...]
    sessions: tuple[UUID, ...]

    @property
    def host(self) -> str:
        return f"{self.scope.slug}.localhost"


def filled_fleet(
    number: int, *, slug_prefix: str = "bench-t", students: int = STUDENTS, past_sessions: int = PAST_SESSIONS
) -> list[TenantScope]:
    """Return `number` dojos with data, made now or by an earlier run."""
    scopes = []
    for place in range(1, number + 1):
        slug = f"{slug_prefix}{place}"
        with platform_scope():
            scope = _find(slug) or _create(slug)
        with tenant_scope(scope):
            is_filled = Student.objects.exists()
        if not is_filled:
            _fill(scope, students, past_sessions)
        scopes.append(scope)
        if place % 100 == 0:
            print_line(f"  {place} dojos are there")
            connections.close_all()  # which have the catalogue of each dojo in their memory
    return scopes


def open_dojos(scopes: Iterable[TenantScope]) -> Iterator[BenchDojo]:
    """Make sessions that are open now, sign the users in, and read the cards."""
    for scope in scopes:
        with tenant_scope(scope), transaction.atomic(), connection.cursor() as cursor:
            now = clock.now()
            for statement in _FORGET_OPEN:
                cursor.execute(statement)
            cursor.execute(
                _SESSIONS,
                _moments(now)
                | {"name": "open now", "first": now, "step": "1 second", "sessions": OPEN_SESSIONS},
            )
            cursor.execute("SELECT id FROM classes_classsession WHERE name = 'open now' ORDER BY starts_at")
            sessions = tuple(row[0] for row in cursor.fetchall())
            cursor.execute("SELECT code FROM attendance_card ORDER BY id")
            cards = tuple(
                make_token(CodeKind.CARD, bytes(row[0]), tenant_id=scope.tenant_id, now=now)
                for row in cursor.fetchall()
            )
            tokens = tuple(
                open_session(user, now=now).access for user in User.objects.order_by("email_key")[:USERS]
            )
        yield BenchDojo(scope, tokens, cards, sessions)


def _find(slug: str) -> TenantScope | None:
    tenant = Tenant.objects.with_primary_domain().filter(slug=slug).first()
    return tenant.scope if tenant else None


@cache
def _password_hash() -> str:
    """Return one hash for the admins of all dojos: to make one takes as long as to make some tables."""
    return make_password(PASSWORD)


def _create(slug: str) -> TenantScope:
    admin = FirstAdmin(email=ADMIN, name="User 1", password_hash=_password_hash())
    create_tenant(name=f"Dojo {slug}", slug=slug, timezone="Europe/Berlin", admin=admin, now=clock.now())
    scope = _find(slug)
    assert scope is not None
    return scope


def _fill(scope: TenantScope, students: int, past_sessions: int) -> None:
    """Fill a dojo. A run that was killed in the middle starts over; the students come last, all at once."""
    now = clock.now()
    with tenant_scope(scope), transaction.atomic():
        for place in range(2, USERS + 1):
            email = f"user{place}@example.com"
            if not User.objects.filter(email_key=email).exists():
                create_user(email=email, name=f"User {place}", role="instructor", password_hash="!")  # noqa: S106
        has_ranks = RankSystem.objects.exists()
        admin = User.objects.get(email_key=ADMIN)
        token = open_session(admin, now=now).access
    if not has_ranks:
        dojo = Dojo(scope, people={"admin": Caller(f"{scope.slug}.localhost", token, admin)})
        arts = dojo.admin.get("/disciplines").json()["results"]
        art = arts[0] if arts else dojo.create("/disciplines", {"name": "Aikido"})
        dojo.create("/rank-systems", {"preset": "aikikai", "discipline": art["id"]})
    past = {"name": "Evening class", "first": now - timedelta(days=6 * (past_sessions + 1)), "step": "6 days"}
    with tenant_scope(scope), transaction.atomic(), connection.cursor() as cursor:
        for statement in (_STUDENTS, _CARDS, _GUARDIANS, _RANKS, _SESSIONS, _ATTENDANCE):
            cursor.execute(
                statement, _moments(now) | past | {"sessions": past_sessions, "students": students}
            )


def _moments(now: datetime) -> dict[str, Any]:
    return {"now": now, "today": now.date()}
