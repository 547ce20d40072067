"""The three imports: students, rank events and facts."""

from datetime import date, datetime
from typing import Any

from shared_apps.accounts.models import User
from tenant_apps.students.csv.fact_import import FactImport
from tenant_apps.students.csv.rank_event_import import RankEventImport
from tenant_apps.students.csv.report import report
from tenant_apps.students.csv.student_import import StudentImport
from tenant_apps.students.csv.table import DEFAULT_OPTIONS, ReadOptions


def import_students(
    content: bytes,
    *,
    by: User,
    today: date,
    now: datetime,
    dry_run: bool,
    options: ReadOptions = DEFAULT_OPTIONS,
    allow_duplicates: bool = False,
    restore: bool = False,
) -> dict[str, Any]:
    """Import a file of students, or preview it if `dry_run` is true. Return the report on every line.

    If a file is imported again, lines with an `external_id` update, and other lines are reported as duplicates.
    With `restore`, archived students that a line updates are restored. `today` is the local date of the dojo.
    Concurrent imports of a dojo run one after the other. Raises `Invalid` if the content is not a valid table;
    `ExternalIdTaken` if one of the ids is used meanwhile, and then nothing is written.
    """
    students = StudentImport(by=by, today=today, now=now, allow_duplicates=allow_duplicates, restore=restore)
    return report(students.run(content, dry_run=dry_run, options=options))


def import_rank_events(
    content: bytes, *, by: User, dry_run: bool, options: ReadOptions = DEFAULT_OPTIONS
) -> dict[str, Any]:
    """Import a file of rank events, one per line, or preview it. Return the report on every line.

    Events that are already in a history are reported as duplicates. Concurrent imports of a dojo run one after the
    other. Raises `Invalid`; `AlreadyRecorded` if one of the events is recorded meanwhile, and then nothing is
    written.
    """
    return report(RankEventImport(by=by).run(content, dry_run=dry_run, options=options))


def import_facts(
    content: bytes, *, by: User, dry_run: bool, options: ReadOptions = DEFAULT_OPTIONS
) -> dict[str, Any]:
    """Import a file of facts, one per line, or preview it. Return the report on every line.

    Facts that are already recorded are reported as duplicates. Concurrent imports of a dojo run one after the other.
    Raises `Invalid`.
    """
    return report(FactImport(by=by).run(content, dry_run=dry_run, options=options))
