"""Make the two logins and their database on the server of docker-compose.yml; again and again without harm.

Reads the superuser's password from POSTGRES_PASSWORD_FILE, and what to make from the application's two URLs.
"""

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tatami.embedded.logins import APP, OWNER, create_logins


def said_in(variable: str) -> str:
    """Return the content of the file that `variable` names."""
    return Path(os.environ[variable]).read_text(encoding="utf-8").strip()


def main() -> None:
    """Make the logins. Raises `SystemExit` where a URL names another login than ours, or another database."""
    app, owner = (
        conninfo_to_dict(said_in(name)) for name in ("DATABASE_URL_FILE", "OWNER_DATABASE_URL_FILE")
    )
    if (app["user"], owner["user"]) != (APP, OWNER) or app["dbname"] != owner["dbname"]:
        raise SystemExit(f"The URLs must name {APP} and {OWNER}, and one database.")
    admin = make_conninfo(
        host=owner["host"],
        port=owner.get("port"),
        user="postgres",
        password=said_in("POSTGRES_PASSWORD_FILE"),
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
