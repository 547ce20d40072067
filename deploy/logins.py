"""Create the two logins and their database, as a superuser of the server. Running it again changes no data.

Reads these variables, each of them also as NAME_FILE, the path of a file that contains the value:

- DATABASE_URL, OWNER_DATABASE_URL: the two URLs of the application, with the passwords that the logins get. The server
  is that of the second one, because the first one may lead to a pooler.
- POSTGRES_PASSWORD: the password of the superuser, whose name is POSTGRES_USER (default: postgres).
"""

import os
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tatami.embedded.logins import APP, OWNER, create_logins


def read_secret(name: str) -> str:
    """Return the value of a variable, or the content of the file that `NAME_FILE` names. Raises `SystemExit`."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        if name not in os.environ:
            raise SystemExit(f"Set {name}, or {name}_FILE to the path of a file that contains it.")
        return os.environ[name]
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SystemExit(f"{name}_FILE: {error.strerror}: {path}") from None


def read_login(name: str, login: str) -> dict[str, Any]:
    """Return the parts of the URL in a variable. Raises `SystemExit` if it is not complete, or of another login."""
    try:
        url = conninfo_to_dict(read_secret(name))
    except psycopg.ProgrammingError:
        raise SystemExit(f"{name} must be a URL: postgresql://{login}:password@host:port/database") from None
    if url.get("user") != login:
        raise SystemExit(f"{name} must name the login {login}.")
    if not url.get("password") or not url.get("dbname"):
        raise SystemExit(f"{name} must have a password and a database.")
    return url


def main() -> None:
    """Create the logins. Raises `SystemExit`, with what is wrong, also if the server refuses the superuser."""
    app, owner = read_login("DATABASE_URL", APP), read_login("OWNER_DATABASE_URL", OWNER)
    if app["dbname"] != owner["dbname"]:
        raise SystemExit("DATABASE_URL and OWNER_DATABASE_URL must name the same database.")
    # With its other parts, such as sslmode.
    superuser = {"user": os.environ.get("POSTGRES_USER") or "postgres", "dbname": "postgres"}
    admin = make_conninfo(**{**owner, **superuser, "password": read_secret("POSTGRES_PASSWORD")})
    try:
        create_logins(
            admin,
            database=str(owner["dbname"]),
            app_password=str(app["password"]),
            owner_password=str(owner["password"]),
        )
    except psycopg.OperationalError as error:
        raise SystemExit(f"The logins were not created: {error}") from None


if __name__ == "__main__":
    main()
