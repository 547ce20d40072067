"""Write random secrets into deploy/secrets/, where docker-compose.yml mounts them. Needs only Python.

Existing files are kept. Only you can enter the folder. The files in it are readable by all, because the users of the
containers must read the mounted files.
"""

import secrets
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"
DATABASE = "db:5432/tatami"


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write the missing files into `folder`; return their names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    secret_values = {
        "postgres_password": secrets.token_urlsafe(32),
        "database_url": f"postgresql://tatami_app:{secrets.token_urlsafe(32)}@{DATABASE}",
        "owner_database_url": f"postgresql://tatami_owner:{secrets.token_urlsafe(32)}@{DATABASE}",
        "jwt_secret": secrets.token_urlsafe(48),
        "superadmin_password": secrets.token_urlsafe(15),
    }
    missing = [name for name in secret_values if not (folder / name).exists()]
    for name in missing:
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(secret_values[name] + "\n", encoding="utf-8")
        path.chmod(0o444)
    return missing


if __name__ == "__main__":
    written = write_missing()
    print(f"wrote {', '.join(written)}" if written else "nothing was missing", "in", FOLDER)  # noqa: T201
