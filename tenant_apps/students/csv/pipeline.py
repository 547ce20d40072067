"""The import pipeline: read a CSV file, parse its lines, match them with existing rows, write them, report."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from tatami.errors import DomainError
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.students.csv.parsing import Errors, add_error, read_csv, require
from tenant_apps.students.models import Student


class LineOutcome(StrEnum):
    """The result of a line; in a dry run, what the result would be."""

    CREATED = "created"
    UPDATED = "updated"
    FAILED = "failed"
    """The line has errors and is not written. `errors` lists them by column."""
    DUPLICATE = "duplicate"
    """The line seems to exist already and is not written."""


@dataclass(slots=True)
class ImportLine:
    """A line of the file: its errors, and, once it is matched, its outcome. Subclasses add the parsed values."""

    number: int
    errors: Errors = field(default_factory=dict)
    outcome: LineOutcome = LineOutcome.FAILED
    student: Student | None = None
    duplicate_of: Student | None = None
    duplicate_of_line: int | None = None

    def add_error(self, column: str, message: str) -> None:
        """Add an error; the line will not be written."""
        add_error(self.errors, column, message)


LineT = TypeVar("LineT", bound=ImportLine)


class CsvImport(ABC, Generic[LineT]):
    """One kind of import. Subclasses define the columns, and how lines are parsed, matched and written."""

    required: ClassVar[tuple[str, ...]]
    """Columns that the file must have, and whose cells must not be empty."""
    line_class: type[LineT]
    conflicts: ClassVar[Mapping[str, tuple[type[DomainError], str]]] = {}
    """Constraint → error and message, for rows that another transaction writes between matching and writing."""

    @transaction.atomic
    def run(self, content: bytes, *, dry_run: bool) -> dict[str, Any]:
        """Import a file, or preview the import if `dry_run` is true, and return the report on every line.

        Raises `Invalid` if the content is not a valid table; the errors in `conflicts`, and then nothing is written.
        """
        if not dry_run:
            wait_for_other_imports()
        columns, rows = read_csv(content, is_column=self.is_column, required=self.required)
        self.prepare(columns)
        lines = []
        for row in rows:
            line = self.line_class(row.number)
            if row.error:
                line.add_error("line", row.error)
            else:
                require(row.cells, self.required, line.errors)
                self.parse(row.cells, line)
            lines.append(line)
        self.match(lines, dry_run=dry_run)
        if not dry_run:
            self._write(lines)
        return report(lines, dry_run=dry_run)

    @abstractmethod
    def is_column(self, name: str) -> bool:
        """Return whether a file may have this column."""

    @abstractmethod
    def prepare(self, columns: Sequence[str]) -> None:
        """Load what parsing needs for these columns. Raises `Invalid` if the columns do not suffice."""

    @abstractmethod
    def parse(self, cells: Mapping[str, str], line: LineT) -> None:
        """Parse the cells of a line, and add its errors."""

    @abstractmethod
    def match(self, lines: Sequence[LineT], *, dry_run: bool) -> None:
        """Match all lines with the rows of the dojo, and set the outcome of each. A fixed number of statements."""

    @abstractmethod
    def write(self, lines: Sequence[LineT]) -> None:
        """Write the lines that are to be created or updated. A fixed number of statements."""

    def _write(self, lines: Sequence[LineT]) -> None:
        try:
            with transaction.atomic(savepoint=bool(self.conflicts)):
                self.write(lines)
        except IntegrityError as violation:
            for constraint, (error, message) in self.conflicts.items():
                if constraint in str(violation):
                    raise error(message) from None
            raise


def report(lines: Sequence[ImportLine], *, dry_run: bool) -> dict[str, Any]:
    """Return the response of an import, as `ImportedSerializer` documents it.

    A dry run does not name the students that it would create, because they have no id.
    """
    outcomes = Counter(line.outcome for line in lines)
    return {
        "dry_run": dry_run,
        "created": outcomes[LineOutcome.CREATED],
        "updated": outcomes[LineOutcome.UPDATED],
        "failed": outcomes[LineOutcome.FAILED],
        "duplicates": outcomes[LineOutcome.DUPLICATE],
        "rows": [_report_row(line) for line in lines],
    }


def _report_row(line: ImportLine) -> dict[str, Any]:
    row: dict[str, Any] = {"line": line.number, "outcome": line.outcome.value}
    if line.student is not None:
        row["student"] = _reference(line.student)
    if line.duplicate_of is not None:
        row["duplicate_of"] = _reference(line.duplicate_of)
    if line.duplicate_of_line is not None:
        row["duplicate_of_line"] = line.duplicate_of_line
    row["errors"] = line.errors
    return row


def _reference(student: Student) -> dict[str, Any]:
    return {"id": student.pk, "name": student.name}


def wait_for_other_imports() -> None:
    """Wait until no other import of this dojo runs. The lock is held until commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import {current_tenant_id()}"]
        )


def insert_rows(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert `rows`, given in the order of `columns`; other columns get the defaults of the model. One statement.

    Values must be valid and as the database stores them (JSON as text). Without rows there is no statement.
    """
    if not rows:
        return
    given: dict[str, Sequence[Any]] = dict(zip(columns, zip(*rows, strict=True), strict=True))
    given.setdefault("id", [uuid7() for _ in rows])
    fields = {field.attname: field for field in model._meta.concrete_fields}
    constants = {name: field.get_default() for name, field in fields.items() if name not in given}
    quote = connection.ops.quote_name
    # Types without their length: a cast to varchar(n) would truncate silently, but the column raises an error.
    types = [str(fields[name].db_type(connection)).partition("(")[0] for name in given]
    into = ", ".join(map(quote, [*given, *constants]))
    selected = ", ".join([*(f"u.{quote(name)}" for name in given), *("%s" for _ in constants)])
    arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({into}) SELECT {selected} "  # noqa: S608 - our own names
        f"FROM unnest({arrays}) AS u({', '.join(map(quote, given))})"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*constants.values(), *map(list, given.values())])
