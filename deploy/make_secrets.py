"""Write random secrets into deploy/secrets/, where docker-compose.yml mounts them. Needs only Python.

Existing files are kept, except the logins of the pooler: they are those of `database_url` and of
`pgbouncer_stats_password`, and are written again when these have changed. Only you can enter the folder. The files in
it are readable by all, because the users of the containers must read the mounted files.
"""

import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).resolve().parent / "secrets"
POOLER, SERVER, DATABASE = "pgbouncer:6432", "db:5432", "tatami"
STATISTICS = "tatami_stats"
"""The login of the pooler that sees its statistics and nothing else (`stats_users` in deploy/pgbouncer.ini)."""


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write the missing files, and logins of the pooler that have changed, into `folder`; return their names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    secret_values = {
        "postgres_password": secrets.token_urlsafe(32),
        "database_url": f"postgresql://tatami_app:{secrets.token_urlsafe(32)}@{POOLER}/{DATABASE}",
        "owner_database_url": f"postgresql://tatami_owner:{secrets.token_urlsafe(32)}@{SERVER}/{DATABASE}",
        "pgbouncer_stats_password": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(48),
        "superadmin_password": secrets.token_urlsafe(15),
        "grafana_password": secrets.token_urlsafe(15),
        # Change these two for a mail server and for a bucket.
        "email_url": "file:///data/mail",
        "storage_url": "file:///data/files",
    }
    missing = [name for name in secret_values if not (folder / name).exists()]
    for name in missing:
        _write(folder / name, secret_values[name])
    app = urlsplit(_read(folder / "database_url"))
    logins = [
        (unquote(app.username or ""), unquote(app.password or "")),
        (STATISTICS, _read(folder / "pgbouncer_stats_password")),
    ]
    userlist, lines = folder / "pgbouncer_userlist", "\n".join(_userlist_line(*login) for login in logins)
    if not userlist.exists() or _read(userlist) != lines:
        _write(userlist, lines)
        missing.append(userlist.name)
    return missing


def _userlist_line(login: str, password: str) -> str:
    """Return the line of PgBouncer's file of logins, which has quotation marks twice."""
    return " ".join('"' + text.replace('"', '""') + '"' for text in (login, password))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _write(path: Path, text: str) -> None:
    """Write a file, or replace it: a reader sees the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # of a run that was killed
    new.touch(mode=0o600)
    new.write_text(text + "\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


if __name__ == "__main__":
    written = write_missing()
    print(f"wrote {', '.join(written)}" if written else "nothing to write", "in", FOLDER)  # noqa: T201
