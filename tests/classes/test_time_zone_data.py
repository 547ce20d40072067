"""Time zones have one source, the package tzdata: not the files of the system, and never PostgreSQL."""

import os
import re
import subprocess
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.classes.models import ClassSession, Enrolment
from tenant_apps.classes.tasks import generate_sessions
from tenant_apps.notifications.absentees import notify_absentees
from tests.attendance.scanning import with_admin_signed_in
from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    list_sessions,
    record_attendance,
    session_on,
)
from tests.notifications.mail_factories import send_all
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok

HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[2]
Rules = Callable[[str], None]


@pytest.fixture
def rules_of(tmp_path: Path) -> Iterator[Rules]:
    """Return a function that gives Europe/Berlin the rules of another zone, in Python only, as other data would."""

    def use(zone: str) -> None:
        (tmp_path / "Europe").mkdir(exist_ok=True)
        data = files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
        (tmp_path / "Europe" / "Berlin").write_bytes(data)
        zoneinfo.reset_tzpath(to=[str(tmp_path)])
        ZoneInfo.clear_cache()

    yield use
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()


# --- the package wins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry", ["config.settings", "tatami.clock", "tatami.embedded", "tatami.celery_base"]
)
def test_the_package_wins_in_every_process_whatever_the_system_has(tmp_path: Path, entry: str) -> None:
    (tmp_path / "Europe").mkdir()
    tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    script = (
        "from zoneinfo import ZoneInfo, TZPATH; from datetime import datetime; ZoneInfo('Europe/Berlin');"
        f"import {entry}; print(datetime(2026, 6, 15, tzinfo=ZoneInfo('Europe/Berlin')).utcoffset())"
    )
    environment = {
        **os.environ,
        "PYTHONTZPATH": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
    }
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout.strip() == "2:00:00"


def test_this_process_reads_no_files_of_the_system() -> None:
    assert zoneinfo.TZPATH == ()


# --- the database does not decide -----------------------------------------------------------------------------------


def test_python_and_not_the_database_decides_about_days(dojo: Dojo, rules_of: Rules) -> None:
    """Python's Berlin is at UTC+9 here, PostgreSQL's is not. Every date below is that of Python."""
    rules_of("Asia/Tokyo")
    with tenant_scope(dojo.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT extract(hour FROM %s AT TIME ZONE 'Europe/Berlin')", [NOW])
        assert cursor.fetchone()[0] == 18, "the two sources must differ, or this test shows nothing"
    assert clock.local_date(NOW, "Europe/Berlin") == date(2026, 6, 16)
    late = {**MONDAYS, "weekdays": ["tu"], "start_time": "01:00"}
    group = create_class(dojo, recurrence=late, expected_attendance={"rate": 1})
    session = session_on(dojo, "2026-06-09")
    assert session["starts_at"] == "2026-06-08T16:00:00Z"
    mika = create_student(dojo, email="mika@example.com", birth_date="1990-01-01")
    assert (
        ok(dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": mika["id"]}), 201)["from"]
        == "2026-06-16"
    )
    enrol_since = {"student": mika["id"], "from": "2026-06-01"}
    ok(dojo.admin.post(f"/classes/{group['id']}/enrolments", enrol_since))
    record_attendance(dojo, mika, session)
    ok(dojo.admin.patch("/settings", {"absence_after_days": 7}))
    with tenant_scope(dojo.tenant):
        Enrolment.objects.update(starts_on=None, created_at=datetime(2026, 6, 7, 15, 30, tzinfo=UTC))
        ClassSession.objects.filter(pk=session_on(dojo, "2026-06-23")["id"]).update(local_date="2026-06-22")
        generate_sessions(JobRun(now=NOW))
        assert Enrolment.objects.get().starts_on == date(2026, 6, 8)
        assert notify_absentees(JobRun(now=NOW)) is DONE
        assert notify_absentees(JobRun(now=NOW)) is DONE
    (sent,) = send_all(dojo)
    assert "9 June 2026" in sent.body
    assert session_on(dojo, "2026-06-23")["local_date"] == "2026-06-23"
    for query in ("group_by=day", "group_by=week", "group_by=month"):
        (row,) = ok(dojo.admin.get(f"/reports/attendance?from=2026-06-09&to=2026-06-09&{query}"))["results"]
        assert row[query.partition("=")[2]] in {"2026-06-09", "2026-06-08", "2026-06"}
    assert list_sessions(dojo, "2026-06-08", "2026-06-08") == []
    assert [row["last_visit"] for row in ok(dojo.admin.get("/reports/absentees?days=7"))["results"]] == [
        "2026-06-09"
    ]
    dojo.create("/closures", {"from": "2026-06-23", "until": "2026-06-23"})
    assert session_on(dojo, "2026-06-23")["status"] == "cancelled"
    ok(dojo.admin.get("/audit?from=2026-06-16&to=2026-06-16"))


CONVERSIONS = re.compile(
    r"(?i:AT TIME ZONE|SET (LOCAL )?TIME ?ZONE(?! (=|TO) 'UTC'))|\bTrunc(Date|Time|Day|Hour|Minute|Second)\("
    r"|_at__(date|time|year|iso_year|month|day|week|week_day|iso_week_day|quarter|hour|minute|second)(?![a-z])"
    r"|\b(CURRENT_DATE|LOCALTIME(STAMP)?)\b|\bnow\(\)::date"
)


def test_no_statement_of_the_product_converts_between_zones() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("platform", "shared_apps", "tenant_apps")
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if CONVERSIONS.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "WHERE (s.starts_at AT TIME ZONE 'Europe/Berlin')::date = %s",
        "rows.filter(created_at__date__gte=since)",
        "rows.filter(starts_at__hour=18)",
        'TruncDate("starts_at", tzinfo=zone)',
    ],
)
def test_the_check_finds_a_conversion(line: str) -> None:
    assert CONVERSIONS.search(line)


# --- after a renewal ------------------------------------------------------------------------------------------------


def retime(*arguments: str) -> Any:
    """Run the command; return its JSON, or with `--text` its text."""
    output = StringIO()
    as_text = "--text" in arguments
    given = [one for one in arguments if one != "--text"]
    with platform_scope():
        call_command("retime_sessions", *given, *([] if as_text else ["--json"]), stdout=output)
    return output.getvalue() if as_text else orjson.loads(output.getvalue())


@pytest.fixture
def renewed(dojo: Dojo, rules_of: Rules) -> list[dict[str, Any]]:
    """Return the sessions of a class that older data put one hour later, after the data were renewed."""
    rules_of("Europe/London")
    create_class(dojo)
    factories.single_session(dojo, "2026-06-24T16:30:00Z", name="By hand")
    moved = session_on(dojo, "2026-07-06")
    ok(dojo.admin.patch(f"/class-sessions/{moved['id']}", {"starts_at": "2026-07-07T10:00:00Z"}))
    before = list_sessions(dojo, "2026-06-01", "2026-07-31")
    rules_of("Europe/Berlin")
    return before


def test_a_command_moves_future_sessions_and_tells_which(dojo: Dojo, renewed: list) -> None:
    slug = dojo.tenant.slug
    assert session_on(dojo, "2026-06-22")["starts_at"] == "2026-06-22T17:30:00Z"
    planned = retime("--dry-run", "--dojo", slug)
    assert session_on(dojo, "2026-06-22")["starts_at"] == "2026-06-22T17:30:00Z"
    moved = retime("--dojo", slug)
    assert moved == planned
    first = moved[0]
    assert (first["dojo"], first["name"], first["starts_at"], first["new_starts_at"]) == (
        slug, "Evening", "2026-06-15T17:30:00+00:00", "2026-06-15T16:30:00+00:00"
    )  # fmt: skip
    after = {one["id"]: one for one in list_sessions(dojo, "2026-06-01", "2026-07-31")}
    assert set(after) == {one["id"] for one in renewed}
    told = {one["id"] for one in moved}
    for one in renewed:
        is_moved = after[one["id"]]["starts_at"] != one["starts_at"]
        assert is_moved == (one["id"] in told)
        by_hand = one["name"] == "By hand" or one["starts_at"] == "2026-07-07T10:00:00Z"
        assert is_moved == (one["starts_at"] > "2026-06-15T16:40:00Z" and not by_hand)
    assert retime("--dojo", slug) == []


def test_the_command_says_in_words_what_moved(dojo: Dojo, renewed: list) -> None:
    text = retime("--text", "--dojo", dojo.tenant.slug)
    assert f"{dojo.tenant.slug}  Evening: 2026-06-22 19:30 -> 2026-06-22 18:30\n" in text
    assert re.search(r"\d+ sessions moved, by tzdata 20\d\d\.\d+\n\Z", text)
    assert "0 sessions would move" in retime("--text", "--dry-run", "--dojo", dojo.tenant.slug)


def test_a_session_before_midnight_changes_its_day_and_the_closure_follows(
    dojo: Dojo, rules_of: Rules
) -> None:
    """Classes at 23:30 were stored on the next day by older data."""
    rules_of("Europe/Berlin")
    create_class(dojo, recurrence={**MONDAYS, "start_time": "23:30"})
    closure = dojo.create("/closures", {"from": "2026-06-22", "until": "2026-06-22"})
    with tenant_scope(dojo.tenant):
        closed = ClassSession.objects.get(closure=closure["id"])
        open_one = ClassSession.objects.get(local_date="2026-06-29")
        for row in (closed, open_one):
            row.starts_at, row.ends_at = row.starts_at + HOUR, row.ends_at + HOUR
            row.local_date = date.fromordinal(row.local_date.toordinal() + 1)
        closed.reinstate()
        closed.save()
        open_one.save()
    moved = retime("--dojo", dojo.tenant.slug)
    assert [(one["local_date"], one["new_local_date"]) for one in moved] == [
        ("2026-06-23", "2026-06-22"), ("2026-06-30", "2026-06-29")
    ]  # fmt: skip
    assert session_on(dojo, "2026-06-22")["status"] == "cancelled"
    assert session_on(dojo, "2026-06-29")["status"] == "scheduled"


def test_an_unknown_dojo_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no dojo nowhere"):
        retime("--dojo", "nowhere")


def test_attended_sessions_stay(dojo: Dojo, renewed: list) -> None:
    today = session_on(dojo, "2026-06-15")
    enrolled = create_student(dojo)
    enrol(dojo, {"id": today["class"]["id"]}, enrolled)
    with clock.fixed(NOW.replace(hour=17)):
        record_attendance(with_admin_signed_in(dojo), enrolled, today)
    retime("--dojo", dojo.tenant.slug)
    assert session_on(dojo, "2026-06-15")["starts_at"] == today["starts_at"]
