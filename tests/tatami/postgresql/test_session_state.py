"""The app login keeps nothing in its session, because behind a pooler other clients use the same session next.

Statements that keep something are in the modules of the owner login only, which is never behind a pooler.
"""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
OF_THE_OWNER: Final = (
    "platform/tatami/embedded/logins.py",
    "platform/tatami/postgresql/owner/",
    "shared_apps/tenants/exports/restore.py",
    "shared_apps/tenants/fleet/",
    "shared_apps/tenants/schema/",
)
KEPT_BY_SESSIONS: Final = re.compile(
    r"""pg_(try_)?advisory_(lock|unlock) | pg_\{.*advisory_lock     # not pg_advisory_xact_lock
    | ["'; ]SET\ (SESSION\ )?(?!LOCAL|CONSTRAINTS|TRANSACTION)[a-z_.]+\ (=|TO)\ (?!.*\bWHERE\b)(?=[^$%{]*["'])
    | set_config\([^)]*,\ *(false|%s)\)
    | ["'](UN)?LISTEN\ | ["']DISCARD\ | ["']PREPARE\ | WITH\ HOLD | CREATE\ (TEMP|TEMPORARY)\ """,
    re.VERBOSE,
)


def sources() -> list[str]:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("platform", "shared_apps", "tenant_apps")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    assert len(found) > 300
    return [name for name in found if not name.startswith(OF_THE_OWNER)]


def kept(source: str) -> list[str]:
    """Return the lines of a source that keep something in a session."""
    return [line.strip() for line in source.splitlines() if KEPT_BY_SESSIONS.search(line)]


def test_no_module_of_the_app_login_keeps_something_in_its_session() -> None:
    found = {name: lines for name in sources() if (lines := kept((ROOT / name).read_text(encoding="utf-8")))}
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        'connection.execute("SET plan_cache_mode = force_generic_plan")',
        'cursor.execute("SET SESSION statement_timeout = 5000")',
        "cursor.execute(\"BEGIN; SET search_path TO 'a'\")",
        'cursor.execute("SELECT pg_advisory_lock(%s)", [key])',
        'cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])',
        "cursor.execute(\"SELECT set_config('a.b', %s, false)\", [value])",
        'cursor.execute("LISTEN jobs")',
        'cursor.execute("DECLARE c CURSOR WITH HOLD FOR SELECT 1")',
        'cursor.execute("CREATE TEMP TABLE t (i int)")',
        'cursor.execute("PREPARE p AS SELECT 1")',
    ],
)
def test_the_search_finds_what_sessions_keep(line: str) -> None:
    assert kept(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        'cursor.execute("SET LOCAL statement_timeout = 5000")',
        'cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])',
        'cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")',
        'cursor.execute("UPDATE a SET b = 1 WHERE c = 2")',
        "UPDATE accounts_apikey SET last_used_at = $2 WHERE id IN (",
        "ON CONFLICT (id) DO UPDATE SET updated_at = a.updated_at",
    ],
)
def test_the_search_finds_nothing_else(line: str) -> None:
    assert kept(line) == []
