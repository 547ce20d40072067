"""Write the secrets that docker-compose.yml mounts, at random, into deploy/secrets/. Needs nothing but Python.

A file that is there is kept. The folder is yours alone; the files in it are readable so that the containers' accounts
may read them, which see the mounted file and not the folder.
"""

import secrets
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"
DATABASE = "db:5432/tatami"


def make(folder: Path = FOLDER) -> list[str]:
    """Write the files that are missing into `folder`; return their names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = {
        "postgres_password": secrets.token_urlsafe(32),
        "database_url": f"postgresql://tatami_app:{secrets.token_urlsafe(32)}@{DATABASE}",
        "owner_database_url": f"postgresql://tatami_owner:{secrets.token_urlsafe(32)}@{DATABASE}",
        "jwt_secret": secrets.token_urlsafe(48),
        "superadmin_password": secrets.token_urlsafe(15),
    }
    missing = [name for name in wanted if not (folder / name).exists()]
    for name in missing:
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(wanted[name] + "\n", encoding="utf-8")
        path.chmod(0o444)
    return missing


if __name__ == "__main__":
    made = make()
    print(f"made {', '.join(made)}" if made else "nothing was missing", "in", FOLDER)  # noqa: T201
