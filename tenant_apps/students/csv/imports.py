"""The three imports: students, rank events and facts."""

from datetime import date, datetime
from typing import Any

from shared_apps.accounts.models import User
from tenant_apps.students.csv.fact_import import FactImport
from tenant_apps.students.csv.rank_event_import import RankEventImport
from tenant_apps.students.csv.student_import import StudentImport


def import_students(
    content: bytes, *, by: User, today: date, now: datetime, dry_run: bool, allow_duplicates: bool
) -> dict[str, Any]:
    """Import a file of students, or preview it if `dry_run` is true. Return the report on every line.

    If a file is imported again, lines with an `external_id` update, and other lines are reported as duplicates.
    `today` is the local date of the dojo. Concurrent imports of a dojo run one after the other. Raises `Invalid` if the
    content is not a valid table; `ExternalIdTaken` if one of the ids is used meanwhile, and then nothing is written.
    """
    students = StudentImport(by=by, today=today, now=now, allow_duplicates=allow_duplicates)
    return students.run(content, dry_run=dry_run)


def import_rank_events(content: bytes, *, by: User, dry_run: bool) -> dict[str, Any]:
    """Import a file of rank events, one per line, or preview it. Return the report on every line.

    Events that are already in a history are reported as duplicates. Concurrent imports of a dojo run one after the
    other. Raises `Invalid`; `AlreadyRecorded` if one of the events is recorded meanwhile, and then nothing is
    written.
    """
    return RankEventImport(by=by).run(content, dry_run=dry_run)


def import_facts(content: bytes, *, by: User, dry_run: bool) -> dict[str, Any]:
    """Import a file of facts, one per line, or preview it. Return the report on every line.

    Facts that are already recorded are reported as duplicates. Concurrent imports of a dojo run one after the other.
    Raises `Invalid`.
    """
    return FactImport(by=by).run(content, dry_run=dry_run)
