"""SQL compilers of the app login: those of Django, except that rows are inserted as VALUES.

Django's compiler for PostgreSQL inserts several rows as `INSERT … SELECT FROM UNNEST(…)`. Citus runs that as COPY,
which row-level security refuses (docs/decisions/0006-citus.md).
"""

from django.db.backends.postgresql.compiler import (
    SQLAggregateCompiler,
    SQLCompiler,
    SQLDeleteCompiler,
    SQLUpdateCompiler,
)
from django.db.models.sql.compiler import SQLInsertCompiler

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]
