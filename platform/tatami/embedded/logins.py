"""Create the two logins and their database. An administrator runs this once; running it again is safe.

`tatami_owner` owns the tables. `tatami_app` owns nothing, bypasses no row-level security, and finds no table until a
scope sets its search_path. The tests create their database with the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

OWNER = "tatami_owner"
APP = "tatami_app"
# Every attribute is listed, so that running this again also revokes what was granted by hand.
ATTRIBUTES = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT")

# A failing statement holds names, notes and hashes, and the details of its error hold the values of a row. PostgreSQL
# would write both to its log. Server settings, set for both logins as well, in case the server is not ours.
LOGS_WITHOUT_DATA = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}

APP_SETTINGS = {
    # Prepared statements are small, and each dojo has its own: planning for the values costs more than it saves.
    "plan_cache_mode": "force_generic_plan",
    # What holds locks, or a connection of a pooler, ends. Web processes have a shorter limit for statements. A mail is
    # sent within a transaction, and each of its steps may take 20 seconds.
    "statement_timeout": "15min",
    "idle_in_transaction_session_timeout": "5min",
}
"""Settings of the app login. They are not set by its sessions, because behind a pooler sessions are shared."""

# One advisory lock for every process that creates logins on a server, whatever database it is about.
BOOTSTRAP_LOCK = 0x7461_7461_6D69


@dataclass(frozen=True)
class DatabaseUrls:
    """The URLs of one database for the app login and the owner login."""

    app: str
    owner: str


def create_logins(
    admin: str, *, database: str = "tatami", app_password: str, owner_password: str
) -> DatabaseUrls:
    """Create both logins and `database` if they are missing, and reset their privileges.

    `admin` is the conninfo of a superuser, for any database of the server. Existing data is not changed. If `database`
    exists, the logins are created from within it, because Citus copies to its workers only what is created there.
    """
    with psycopg.connect(admin, autocommit=True) as connection:
        # A lock belongs to one database, so it is held in the same one whether the new database exists or not.
        connection.execute("SELECT pg_advisory_lock(%s)", [BOOTSTRAP_LOCK])
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        where = make_conninfo(admin, dbname=database) if exists else admin
        with psycopg.connect(where, autocommit=True) as inside:
            for setting, value in LOGS_WITHOUT_DATA.items():  # the following statements contain passwords
                inside.execute("SELECT set_config(%s, %s, false)", [setting, value])
            _create_role(inside, OWNER, owner_password, LOGS_WITHOUT_DATA)
            _create_role(inside, APP, app_password, {**LOGS_WITHOUT_DATA, **APP_SETTINGS})
    create_database(admin, database, OWNER)
    return DatabaseUrls(
        app=database_url(admin, user=APP, password=app_password, database=database),
        owner=database_url(admin, user=OWNER, password=owner_password, database=database),
    )


def _create_role(
    connection: psycopg.Connection, role: str, password: str, settings: Mapping[str, str]
) -> None:
    name = sql.Identifier(role)
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if found else "CREATE")
    connection.execute(
        sql.SQL("{} ROLE {} WITH {} PASSWORD {}").format(verb, name, ATTRIBUTES, sql.Literal(password))
    )
    for setting, value in settings.items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        )


def create_database(admin: str, name: str, owner: str = OWNER, *, recreate: bool = False) -> None:
    """Create the database `name`, owned by `owner`, and revoke access from all but the two logins.

    `recreate` first drops the database with its data and its connections; only tests use it.
    """
    database = sql.Identifier(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [BOOTSTRAP_LOCK])
        if recreate:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(database))
        app = sql.Identifier(APP)
        for statement in (
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(owner)),
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
            sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, app),
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, app),
            sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(database),
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = ''").format(app, database),
        ):
            connection.execute(statement)
    with psycopg.connect(make_conninfo(admin, dbname=name), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(owner)))
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def drop_database(admin: str, name: str) -> None:
    """Drop the database `name` with its data and its connections. A missing database is not an error."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def database_url(admin: str, *, user: str, password: str, database: str) -> str:
    """Return the URL of `database` on the server of the conninfo `admin`, for another login.

    The folder of a Unix socket goes into the query, percent-encoded, because the host of a URL cannot hold a path.
    """
    server = conninfo_to_dict(admin)
    host, port = str(server.get("host") or "localhost"), server.get("port")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    path = quote(database, safe="")
    if host.startswith("/"):
        suffix = f"&port={port}" if port else ""
        return f"postgresql://{login}@/{path}?host={quote(host, safe='')}{suffix}"
    return f"postgresql://{login}@{host}{f':{port}' if port else ''}/{path}"
