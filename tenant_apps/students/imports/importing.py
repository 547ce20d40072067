"""The three imports: students, lines of rank histories, and facts."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from shared_apps.accounts.models import User
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.ranks.matching import RankBook
from tenant_apps.students.errors import AlreadyRecorded, ExternalIdTaken
from tenant_apps.students.imports import fact_lines, rank_event_lines, student_lines
from tenant_apps.students.imports.judging import judge
from tenant_apps.students.imports.lines_of_students import refuse_nameless
from tenant_apps.students.imports.rank_systems import SystemBook
from tenant_apps.students.imports.report import report
from tenant_apps.students.imports.table import read_table
from tenant_apps.students.imports.writing import write


@transaction.atomic
def import_students(
    content: bytes, *, by: User, today: date, now: datetime, dry_run: bool, allow_duplicates: bool
) -> dict[str, Any]:
    """Read a students' file; write its good lines in one go unless `dry_run`; say what became of each.

    Twice: an `external_id` updates to what is there already, other lines are reported as duplicates. At once: imports
    of a dojo take turns. Raises `Invalid` for a file that is no such table; `ExternalIdTaken` if somebody else gives
    out one of the ids meanwhile, and then nothing is written.
    """
    _take_turns(dry_run=dry_run)
    columns, rows = read_table(content, is_column=student_lines.is_column, required=student_lines.REQUIRED)
    reader = student_lines.StudentReader(columns, _book(columns))
    lines = [reader.read(row) for row in rows]
    judge(lines, by=by, locked=not dry_run, allow_duplicates=allow_duplicates)
    if not dry_run:
        try:
            with transaction.atomic():
                write(lines, by=by, today=today, now=now)
        except IntegrityError as violation:
            if "student_external_id_once" in str(violation):
                raise ExternalIdTaken(
                    "Somebody used one of these external ids meanwhile: import again."
                ) from None
            raise
    return report(lines, dry_run=dry_run)


@transaction.atomic
def import_rank_events(content: bytes, *, by: User, dry_run: bool) -> dict[str, Any]:
    """Read a file of rank events, one a line; add the good ones unless `dry_run`; say what became of each.

    Twice: what stands in a history already is reported as a duplicate. At once: imports take turns. Raises `Invalid`;
    `AlreadyRecorded` if somebody enters one of the lines meanwhile, and then nothing is written.
    """
    _take_turns(dry_run=dry_run)
    columns, rows = read_table(
        content, is_column=rank_event_lines.is_column, required=rank_event_lines.REQUIRED
    )
    reader = rank_event_lines.RankEventReader(RankBook.of_the_dojo())
    refuse_nameless(columns)
    lines = [reader.read(row) for row in rows]
    rank_event_lines.judge(lines, by=by)
    if not dry_run:
        try:
            with transaction.atomic():
                rank_event_lines.write(lines, by=by)
        except IntegrityError as violation:
            if "rank_event_once" in str(violation):
                raise AlreadyRecorded(
                    "Somebody entered one of these lines meanwhile: import again."
                ) from None
            raise
    return report(lines, dry_run=dry_run)


@transaction.atomic
def import_facts(content: bytes, *, by: User, dry_run: bool) -> dict[str, Any]:
    """Read a file of facts, one a line; write the good ones down unless `dry_run`; say what became of each.

    Twice: what stands already is reported as a duplicate. At once: imports take turns. Raises `Invalid`.
    """
    _take_turns(dry_run=dry_run)
    columns, rows = read_table(content, is_column=fact_lines.is_column, required=fact_lines.REQUIRED)
    refuse_nameless(columns)
    reader = fact_lines.FactReader(SystemBook.of_the_dojo())
    lines = [reader.read(row) for row in rows]
    fact_lines.judge(lines)
    if not dry_run:
        fact_lines.write(lines, by=by)
    return report(lines, dry_run=dry_run)


def _book(columns: Sequence[str]) -> RankBook:
    return RankBook.of_the_dojo() if any(name.startswith("rank") for name in columns) else RankBook(())


def _take_turns(*, dry_run: bool) -> None:
    if dry_run:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import {current_tenant_id()}"]
        )
