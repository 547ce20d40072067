"""Check the two logins: the app login lacks dangerous privileges, and the owner login is not behind a pooler.

A process with an unsafe login does not start.
"""

from contextlib import suppress
from typing import Any, Final

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections

from tatami.embedded.logins import APP_SETTINGS

logger: Final = structlog.get_logger(__name__)

MINIMUM_SERVER_VERSION: Final = 150000

# One row with the privileges of the login beyond reading and writing granted tables.
_PRIVILEGES: Final = """
SELECT r.rolsuper, r.rolbypassrls, r.rolreplication, r.rolcreaterole, r.rolcreatedb,
       has_database_privilege(r.oid, current_database(), 'CREATE'),
       has_schema_privilege(r.oid, 'public', 'CREATE'),
       EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = r.oid),
       EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspowner = r.oid),
       EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""
_NAMES: Final = (
    "is a superuser",
    "bypasses row-level security",
    "may replicate, past row-level security",
    "may create roles",
    "may create databases",
    "may create schemas",
    "may create tables in public",
    "owns tables",
    "owns schemas",
    "is a member of another role",
)


# Those settings of `APP_SETTINGS` that the login does not have.
_MISSING_SETTINGS: Final = """
SELECT name FROM pg_catalog.pg_settings WHERE name = ANY(%s) AND setting = boot_val ORDER BY name
"""


class UnsafeLogin(ImproperlyConfigured):
    """The login of DATABASE_URL has privileges that the app must not have."""


def check_app_login(connection: Any) -> None:
    """Raise `UnsafeLogin` if the psycopg `connection` has forbidden privileges, or the server is too old.

    A login without the settings of `APP_SETTINGS` (an earlier version made it) is accepted, and the log says so.
    """
    if connection.info.server_version < MINIMUM_SERVER_VERSION:
        raise UnsafeLogin(f"PostgreSQL {MINIMUM_SERVER_VERSION // 10000} or newer is needed")
    privileges = connection.execute(_PRIVILEGES).fetchone()
    found = [name for name, has in zip(_NAMES, privileges, strict=True) if has]
    if found:
        raise UnsafeLogin(f"the app login {', '.join(found)}: DATABASE_URL needs a login that owns nothing")
    missing = [name for (name,) in connection.execute(_MISSING_SETTINGS, [list(APP_SETTINGS)])]
    if missing:
        logger.warning("app_login_without_settings", settings=missing)


class PooledOwner(ImproperlyConfigured):
    """The connection of OWNER_DATABASE_URL goes through a pooler."""


def check_owner_is_direct(connection: Any) -> None:
    """Raise `PooledOwner` if a pooler is between the psycopg `connection` and its server.

    The owner login holds locks and settings of its session. Behind a pooler they would stay on a server that others
    use next, so that they would neither exclude nor end. A pooler tells its clients another process id than the server.
    """
    (server_pid,) = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    if server_pid != connection.info.backend_pid:
        raise PooledOwner("OWNER_DATABASE_URL leads to a pooler: the owner login needs the server itself")


def check_logins_at_start() -> None:
    """Raise `UnsafeLogin` or `PooledOwner` at process start, if the logins are configured.

    If the database is unavailable, the first connection checks instead.
    """
    for alias in connections.settings:
        with suppress(OperationalError):
            connections[alias].ensure_connection()
            connections[alias].close()
