"""Schemas as described by PostgreSQL's catalogue, comparable between dojos: without the dojo's name and id."""

from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings

_COLUMNS: Final = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
       a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid), coalesce(l.collname, '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS: Final = """
SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid),
       k.convalidated, k.condeferrable, k.condeferred
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = %(schema)s::regnamespace
"""
_INDEXES: Final = """
SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisunique, i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = %(schema)s::regnamespace
"""
_POLICIES: Final = """
SELECT c.relname, p.polname, p.polcmd::text, p.polpermissive, p.polroles = '{0}',
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = %(schema)s::regnamespace
"""
_TABLES: Final = """
SELECT c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind <> 'i'
"""
_GRANTS: Final = """
SELECT c.relname, coalesce(g.rolname, 'PUBLIC'), x.privilege_type
FROM pg_class c CROSS JOIN aclexplode(c.relacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee
WHERE c.relnamespace = %(schema)s::regnamespace AND x.grantee <> c.relowner
UNION ALL
SELECT '', coalesce(g.rolname, 'PUBLIC'), x.privilege_type
FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee
WHERE n.oid = %(schema)s::regnamespace AND x.grantee <> n.nspowner
"""
QUERIES: Final = {
    "tables": _TABLES,
    "columns": _COLUMNS,
    "constraints": _CONSTRAINTS,
    "indexes": _INDEXES,
    "policies": _POLICIES,
    "grants": _GRANTS,
}


def schema_facts(superuser: Any, schema: str, tenant_id: UUID) -> dict[str, set[tuple[Any, ...]]]:
    """Return all catalogue rows about `schema` by kind, with `<schema>` and `<id>` in place of the dojo's own."""

    def neutral(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return value.replace(str(tenant_id), "<id>").replace(schema, "<schema>")

    return {
        kind: {tuple(neutral(v) for v in row) for row in superuser.execute(query, {"schema": f'"{schema}"'})}
        for kind, query in QUERIES.items()
    }


def unknown_schemas(superuser: Any) -> list[tuple[Any, ...]]:
    """Return the schemas of dojos that have no row in `tenants_tenant`."""
    found: list[tuple[Any, ...]] = superuser.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%' "
        "AND nspname NOT IN (SELECT schema_name FROM public.tenants_tenant)"
    ).fetchall()
    return found


def query_schema(superuser: Any, query: str, schema: str) -> list[tuple[Any, ...]]:
    """Return the rows of `query` with the parameter `schema`."""
    found: list[tuple[Any, ...]] = superuser.execute(query, {"schema": schema}).fetchall()
    return found


def tenant_models() -> list[Any]:
    """Return the models with a table in every dojo, including those that Django creates automatically."""
    return [
        model
        for config in apps.get_app_configs()
        if config.name in settings.TENANT_APPS
        for model in config.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def tenant_tables() -> set[str]:
    """Return the table names of `tenant_models`."""
    return {model._meta.db_table for model in tenant_models()}
