"""The import pipeline: read a file, parse its lines, match them with existing rows, write them, report."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Final, Generic, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Model
from django.utils.translation import gettext

from tatami.errors import DomainError
from tatami.ids import uuid7
from tatami.postgresql.sqlstates import LOCK_NOT_AVAILABLE, sqlstate_of
from tatami.tenancy.scope import current_tenant_id
from tatami.text import normalise
from tenant_apps.dojo.models import DojoSettings, NameOrder
from tenant_apps.students.csv.cells import Errors, add_error, require
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.headings import WHOLE_NAME, Headings
from tenant_apps.students.csv.table import ReadOptions, Table, read_table
from tenant_apps.students.errors import ImportInProgress
from tenant_apps.students.models import Student, full_name, name_key

_SHOWN: Final = 200
"""The number of characters of an overwritten value that a report shows."""
_NAMES: Final = ("first_name", "last_name", WHOLE_NAME)
_PARTICLES: Final = frozenset({
    "da", "das", "de", "del", "della", "der", "den", "di", "do", "dos", "du", "e", "la", "le", "las", "los",
    "van", "von", "zu", "zum", "zur", "ter", "ten", "y", "af", "av", "bin", "ibn", "al", "el"
})  # fmt: skip


class LineOutcome(StrEnum):
    """The result of a line; in a dry run, what the result would be."""

    CREATED = "created"
    UPDATED = "updated"
    RESTORED = "restored"
    """An archived student was restored, and updated."""
    FAILED = "failed"
    """The line has errors and is not written. `errors` lists them by column."""
    DUPLICATE = "duplicate"
    """The line seems to exist already and is not written."""


@dataclass(slots=True)
class ImportLine:
    """A line of the file: its errors, and, once it is matched, its outcome. Subclasses add the parsed values."""

    number: int
    errors: Errors = field(default_factory=dict)
    warnings: Errors = field(default_factory=dict)
    """What a person should check, by column. The line is written nevertheless."""
    changes: list[dict[str, str]] = field(default_factory=list)
    """Values that the line overwrites: `{column, from, to}`."""
    links: list[dict[str, Any]] = field(default_factory=list)
    """Guardians that the line shares with other students: `{column, guardian, line?}`."""
    outcome: LineOutcome = LineOutcome.FAILED
    student: Student | None = None
    duplicate_of: Student | None = None
    duplicate_of_line: int | None = None
    label: str = ""
    """The name of the person in the file, for messages."""
    has_split_name: bool = False
    """Whether first and last name were split from a whole name, so that another split or order is possible."""
    names: tuple[str, str] = ("", "")
    """First name and last name."""
    name_keys: tuple[str, ...] = ()
    """The names for comparison with `Student.name_key`, the most exact first; a split name also in the other order."""

    def add_error(self, column: str, message: str) -> None:
        """Add an error; the line will not be written."""
        add_error(self.errors, column, message)

    def warn(self, column: str, message: str) -> None:
        """Add something that a person should check."""
        add_error(self.warnings, column, message)

    def add_change(self, column: str, before: object, after: object) -> None:
        """Note that a value is overwritten."""
        self.changes.append({"column": column, "from": str(before)[:_SHOWN], "to": str(after)[:_SHOWN]})

    def set_names(self, values: Mapping[str, Any]) -> None:
        """Set the names from parsed cells; a line without a valid name has no keys."""
        self.names = first, last = values.get("first_name", ""), values.get("last_name", "")
        orders = ((first, last), (last, first)) if self.has_split_name else ((first, last),)
        self.name_keys = tuple(filter(None, dict.fromkeys(name_key(*names) for names in orders)))

    @property
    def name_key(self) -> str:
        """The name for comparison: first name, then last name."""
        return self.name_keys[0] if self.name_keys else ""

    @property
    def is_written(self) -> bool:
        """Whether the line changes the rows of the dojo."""
        return self.outcome in {LineOutcome.CREATED, LineOutcome.UPDATED, LineOutcome.RESTORED}


LineT = TypeVar("LineT", bound=ImportLine)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The table that was read and its lines with their outcomes."""

    table: Table
    lines: Sequence[ImportLine]
    date_formats: Mapping[str, str]
    dry_run: bool


class FileImport(ABC, Generic[LineT]):
    """One kind of import. Subclasses define the columns, and how lines are parsed, matched and written."""

    required: ClassVar[tuple[str, ...]]
    """Columns that the file must have, and whose cells must not be empty."""
    headings: ClassVar[Headings]
    line_class: type[LineT]
    conflicts: ClassVar[Mapping[str, tuple[type[DomainError], str]]] = {}
    """Constraint → error and message, to translate, for rows that another transaction writes between matching and
    writing."""

    @cached_property
    def settings(self) -> DojoSettings:
        """The settings of the dojo, as they are when the import runs."""
        return DojoSettings.current()

    @transaction.atomic
    def run(self, content: bytes, *, dry_run: bool, options: ReadOptions) -> ImportResult:
        """Import a file, or preview the import if `dry_run` is true, and return the result of every line.

        Raises `Invalid` if the content is not a valid table; the errors in `conflicts`, and then nothing is written.
        """
        if not dry_run:
            wait_for_other_imports()
        table = read_table(content, self.headings, self.required, options)
        dates = DateReader(options.date_format, table.cells_of)
        self.prepare(table.columns, dates)
        lines = []
        for row in table.lines:
            line = self.line_class(row.number)
            if row.error:
                line.add_error("line", row.error)
            else:
                cells = self._name(row.cells, line)
                require(cells, self.required, line.errors)
                self.parse(cells, line)
            lines.append(line)
        self.match(lines, dry_run=dry_run)
        if not dry_run:
            self._write(lines)
        return ImportResult(table, lines, dates.orders(), dry_run)

    def _name(self, cells: dict[str, str], line: LineT) -> dict[str, str]:
        """Set the label of a line; return its cells, with a whole name as first and last name."""
        if not any(cells.get(name) for name in _NAMES):
            return cells
        is_family_first = _is_family_first(cells, self.settings.name_order)
        found = split_name(cells, family_first=is_family_first)
        line.has_split_name = found is not cells and "," not in cells[WHOLE_NAME]
        line.label = full_name(found.get("first_name", ""), found.get("last_name", ""), is_family_first)
        return found

    @abstractmethod
    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
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
                    raise error(gettext(message)) from None
            raise


def _is_family_first(cells: Mapping[str, str], order: str) -> bool:
    """Return whether the family name is first: as the line says, else by the order of the dojo."""
    own = normalise(cells.get("name_order", "")).replace(" ", "_")
    return (own if own in NameOrder.values else order) == NameOrder.FAMILY_FIRST


def split_name(cells: dict[str, str], *, family_first: bool) -> dict[str, str]:
    """Return the cells with a whole name as first and last name; without a whole name, the cells themselves.

    The last name is before a comma (`Silva, Ana`), else it is one word with its particles: the last one, or with
    `family_first` the first one. A name of one word has no last name.
    """
    whole = cells.get(WHOLE_NAME, "")
    if not whole or cells.get("first_name") or cells.get("last_name"):
        return cells
    if "," in whole:
        last, _, first = (part.strip() for part in whole.partition(","))
    else:
        words = whole.split()
        place = _end_of_family_name(words) if family_first else _start_of_family_name(words)
        parts = " ".join(words[:place]), " ".join(words[place:])
        first, last = parts[::-1] if family_first and parts[1] else parts
    return {**cells, "first_name": first, "last_name": last}


def _start_of_family_name(words: Sequence[str]) -> int:
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in _PARTICLES:
        start -= 1
    return max(start, 1)


def _end_of_family_name(words: Sequence[str]) -> int:
    end = 1
    while end < len(words) - 1 and words[end - 1].lower() in _PARTICLES:
        end += 1
    return end


def wait_for_other_imports() -> None:
    """Wait until no other import of this dojo runs. The lock is held until commit.

    Raises `ImportInProgress` if the other import takes longer than a request may wait for a lock.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import {current_tenant_id()}"]
            )
    except OperationalError as error:
        if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
            raise ImportInProgress from None
        raise


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
    # Without RETURNING, Citus would run it as COPY, which row-level security refuses.
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({into}) SELECT {selected} "  # noqa: S608 - our own names
        f"FROM unnest({arrays}) AS u({', '.join(map(quote, given))}) RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*constants.values(), *map(list, given.values())])
