"""The seal of a schema: the constraints and policies by which PostgreSQL itself separates the dojos.

Every table with a `tenant_id` gets the schema's constant as DEFAULT and CHECK, row-level security with one policy, and
explicit grants for the app login. The policy applies to the app login. The CHECK applies to the owner, too (restores,
data migrations). The seal protects against our own mistakes, not against SQL injection: see SECURITY.md.

Each statement is a top-level statement of its own, as Citus requires (docs/decisions/0006-citus.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

POLICY: Final = "tatami_tenant"

_COLUMN_IS_SETTING: Final = "tenant_id = NULLIF(current_setting('tatami.tenant_id', true), '')::uuid"

_RULE_AS_STORED: Final = (
    "(tenant_id = (NULLIF(current_setting('tatami.tenant_id'::text, true), ''::text))::uuid)"
)

# Tables without tenant_id on purpose: Django's record of migrations, which the app login cannot read.
UNSEALED_TABLES: Final = frozenset({"django_migrations"})

# Through pg_depend: pg_class has no index by schema, so PostgreSQL would scan the tables of all dojos.
TABLES_OF_SCHEMA: Final = """\
o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_namespace'::regclass
AND o.refobjid = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s)"""
"""A condition on pg_depend `o`: the row belongs to a table, sequence or view of a schema."""

# One row per table: does it have each part of the seal? Aggregates instead of EXISTS, because PostgreSQL may evaluate
# EXISTS with a hash over the constraints of all dojos, and locks each of their tables to print its constraint.
_SEAL_PARTS_SQL: Final = """
SELECT c.relname,
       a.attnotnull AND format_type(a.atttypid, a.atttypmod) = 'uuid' AS column_ok,
       COALESCE(pg_get_expr(d.adbin, d.adrelid) = %(default)s, false) AS default_ok,
       (SELECT COALESCE(bool_or(pg_get_constraintdef(k.oid) = %(check)s), false) FROM pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated) AS check_ok,
       c.relrowsecurity AS rls_ok,
       (SELECT count(*) = 1 AND bool_and(p.polname = %(policy)s AND p.polpermissive AND p.polcmd = '*'
               AND pg_get_expr(p.polqual, p.polrelid) = %(rule)s
               AND pg_get_expr(p.polwithcheck, p.polrelid) = %(rule)s)
        FROM pg_policy p WHERE p.polrelid = c.oid) AS policy_ok,
       has_table_privilege(%(app)s, c.oid, 'SELECT') AND has_table_privilege(%(app)s, c.oid, 'INSERT')
       AND NOT has_table_privilege(%(app)s, c.oid, 'TRUNCATE') AS grants_ok
FROM pg_depend o JOIN pg_class c ON c.oid = o.objid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {tables} AND c.relkind IN ('r', 'p')
ORDER BY c.relname
""".replace("{tables}", TABLES_OF_SCHEMA)

_FOREIGN_KEYS_LEAVING: Final = """
SELECT k.conname FROM pg_depend o
JOIN pg_constraint k ON k.conrelid = o.objid
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
WHERE {tables} AND k.contype = 'f' AND f.relnamespace <> c.relnamespace
""".replace("{tables}", TABLES_OF_SCHEMA)


class SealBroken(RuntimeError):
    """A schema lacks a part of its seal and must not be served."""


def quoted(identifier: str) -> str:
    """Return `identifier` quoted for a statement."""
    return '"' + identifier.replace('"', '""') + '"'


def schema_grants(schema: str, app_login: str) -> list[str]:
    """Return the statement that grants the app login USAGE on the schema, and nothing else."""
    return [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(app_login)}"]


def table_grants(table: str, app_login: str, privileges: str) -> list[str]:
    """Return the statement that grants the app login `privileges` on `table`."""
    return [f"GRANT {privileges} ON {quoted(table)} TO {quoted(app_login)}"]


def seal_statements(tables: Mapping[str, str], tenant_id: UUID, app_login: str) -> list[str]:
    """Return the statements that seal new `tables` (name → privileges) of the schema on the search_path."""
    statements: list[str] = []
    for table, privileges in tables.items():
        name = quoted(table)
        statements += [
            f"ALTER TABLE {name} ALTER COLUMN tenant_id SET DEFAULT '{tenant_id}'::uuid",
            f"ALTER TABLE {name} ADD CONSTRAINT {quoted(table + '_tenant')} CHECK (tenant_id = '{tenant_id}'::uuid)",
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY {POLICY} ON {name} USING ({_COLUMN_IS_SETTING}) WITH CHECK ({_COLUMN_IS_SETTING})",
            *table_grants(table, app_login, privileges),
        ]
    return statements


def unsealed(
    cursor: Any, schema: str, tenant_id: UUID, app_login: str, *, ignore: Iterable[str] = ()
) -> dict[str, Sequence[str]]:
    """Return the tables of `schema` that lack parts of the seal, with the names of these parts. One statement."""
    cursor.execute(
        _SEAL_PARTS_SQL,
        {
            "schema": schema,
            "app": app_login,
            "policy": POLICY,
            "rule": _RULE_AS_STORED,
            "default": f"'{tenant_id}'::uuid",
            "check": f"CHECK ((tenant_id = '{tenant_id}'::uuid))",
        },
    )
    parts = ("column", "default", "check", "row level security", "policy", "grants")
    ignored = UNSEALED_TABLES | set(ignore)
    return {
        table: missing
        for table, *present in cursor.fetchall()
        if table not in ignored
        and (missing := [part for part, ok in zip(parts, present, strict=True) if not ok])
    }


def verify_seal(
    cursor: Any, schema: str, tenant_id: UUID, app_login: str, *, ignore: Iterable[str] = ()
) -> None:
    """Raise `SealBroken`, naming the tables, if `schema` has an unsealed table or a foreign key that leaves it."""
    broken = unsealed(cursor, schema, tenant_id, app_login, ignore=ignore)
    if broken:
        raise SealBroken(
            f"{schema}: " + "; ".join(f"{table} lacks {', '.join(p)}" for table, p in broken.items())
        )
    cursor.execute(_FOREIGN_KEYS_LEAVING, {"schema": schema})
    leaving = [name for (name,) in cursor.fetchall()]
    if leaving:
        raise SealBroken(f"{schema}: foreign keys leave the schema: {', '.join(leaving)}")
