"""The floor: what PostgreSQL itself needs for the statement at the heart of a request, measured with pgbench.

The statements run in one dojo's schema, with the app login, prepared, each in a transaction that sets its scope as
ours do. What lies between the floor and a request is what Python, HTTP and the rules cost.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.side_by_side.cpu import usage
from tatami.embedded.postgres import postgres_binaries
from tatami.tenancy.scope import TenantScope

_SCOPE: Final = "BEGIN\\; SET LOCAL search_path = \"{schema}\"\\; SET LOCAL tatami.tenant_id = '{tenant}';"
SCRIPTS: Final = {
    "me": "SELECT id, email, name, role, is_active FROM accounts_user LIMIT 1;",
    "students": "SELECT id, first_name, last_name, email, birth_date, status, joined_on FROM students_student"
    " ORDER BY search_name, id LIMIT 20;",
    "scan": "\\set number random(1, 1000000000)\n"
    "INSERT INTO attendance_attendance (id, created_at, updated_at, student_id, class_session_id, checked_in_at,"
    " method, late, void_reason) VALUES (uuidv7(), now(), now(), '{student}', '{session}', now(), 'qr_card', false,"
    " '')"
    " ON CONFLICT (student_id, class_session_id) WHERE voided_at IS NULL DO UPDATE SET updated_at = now()"
    " RETURNING id;",
}


def floor_ms(
    kind: str,
    scope: TenantScope,
    *,
    student: UUID,
    session: UUID,
    folder: Path,
    postmaster: int,
    seconds: int,
) -> float | None:
    """Return the CPU milliseconds of PostgreSQL per transaction, or None for a kind without a statement."""
    if kind not in SCRIPTS:
        return None
    scoped = _SCOPE.format(schema=scope.schema_name, tenant=scope.tenant_id)
    script = folder / f"{kind}.pgbench.sql"
    statement = SCRIPTS[kind].format(student=student, session=session)
    script.write_text(f"{scoped}\n{statement}\nCOMMIT;\n")
    command = [
        str(postgres_binaries() / "pgbench"),
        "-n",
        "-f",
        str(script),
        "-c",
        "4",
        "-j",
        "1",
        "-T",
        str(seconds),
    ]
    before = usage(postmaster)
    done = subprocess.run(  # noqa: S603
        [*command, os.environ["DATABASE_URL"]], capture_output=True, text=True, check=True
    )
    after = usage(postmaster)
    number = re.search(r"transactions actually processed: (\d+)", done.stdout)
    assert number is not None, done.stdout
    return (after.cpu_ms - before.cpu_ms) / int(number.group(1))
