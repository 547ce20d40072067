"""Create the two logins and their database on the server of docker-compose.yml. Running it again changes nothing.

Reads the superuser's password from POSTGRES_PASSWORD_FILE, and logins and database from the application's two URLs.
"""

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tatami.embedded.logins import APP, OWNER, create_logins


def read_secret(variable: str) -> str:
    """Return the content of the file that the environment variable names."""
    return Path(os.environ[variable]).read_text(encoding="utf-8").strip()


def main() -> None:
    """Create the logins. Raises `SystemExit` if a URL names another login than ours, or the databases differ."""
    app, owner = (
        conninfo_to_dict(read_secret(name)) for name in ("DATABASE_URL_FILE", "OWNER_DATABASE_URL_FILE")
    )
    if (app["user"], owner["user"]) != (APP, OWNER) or app["dbname"] != owner["dbname"]:
        raise SystemExit(f"The URLs must name the logins {APP} and {OWNER}, and the same database.")
    admin = make_conninfo(
        host=owner["host"],
        port=owner.get("port"),
        user="postgres",
        password=read_secret("POSTGRES_PASSWORD_FILE"),
        dbname="postgres",
    )
    create_logins(
        admin,
        database=str(owner["dbname"]),
        app_password=str(app["password"]),
        owner_password=str(owner["password"]),
    )


if __name__ == "__main__":
    main()
