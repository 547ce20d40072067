"""Write random secrets into deploy/secrets/, where docker-compose.yml mounts them. Needs only Python.

Existing files are kept; the login of the pooler is that of `database_url`. Only you can enter the folder. The files in
it are readable by all, because the users of the containers must read the mounted files.
"""

import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).resolve().parent / "secrets"
POOLER, SERVER, DATABASE = "pgbouncer:6432", "db:5432", "tatami"


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write the missing files into `folder`; return their names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    secret_values = {
        "postgres_password": secrets.token_urlsafe(32),
        "database_url": f"postgresql://tatami_app:{secrets.token_urlsafe(32)}@{POOLER}/{DATABASE}",
        "owner_database_url": f"postgresql://tatami_owner:{secrets.token_urlsafe(32)}@{SERVER}/{DATABASE}",
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
    userlist = folder / "pgbouncer_userlist"
    if not userlist.exists():
        _write(userlist, _userlist((folder / "database_url").read_text(encoding="utf-8").strip()))
        missing.append(userlist.name)
    return missing


def _userlist(url: str) -> str:
    """Return the line of PgBouncer's file of logins for the login of a URL."""
    login = urlsplit(url)
    quoted = (unquote(text or "").replace('"', '""') for text in (login.username, login.password))
    return " ".join(f'"{text}"' for text in quoted)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o444)


if __name__ == "__main__":
    written = write_missing()
    print(f"wrote {', '.join(written)}" if written else "nothing was missing", "in", FOLDER)  # noqa: T201
