"""What the application's processes find in their environment, and where this checkout is."""

import os
from collections.abc import Mapping
from pathlib import Path

from tatami.embedded.data_folder import Claim
from tatami.embedded.servers import Servers

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: `manage.py` lies here."""

DEFAULT_SUPERADMIN = "admin@localhost"


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for all that this checkout keeps: TATAMI_DATA, or `.tatami` beside manage.py."""
    return Path(environment.get("TATAMI_DATA") or ROOT / ".tatami").absolute()


def application_variables(
    claim: Claim, servers: Servers, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return what the application's processes need beside our own environment.

    Secrets that nobody gave are made once and kept. The database's superuser is not among them: no process of
    the application is to have it.
    """
    return {
        **servers.environment(),
        "JWT_SECRET": environment.get("JWT_SECRET") or claim.secret("jwt_secret", 48),
        "TATAMI_SUPERADMIN_EMAIL": environment.get("TATAMI_SUPERADMIN_EMAIL") or DEFAULT_SUPERADMIN,
        "TATAMI_SUPERADMIN_PASSWORD": (
            environment.get("TATAMI_SUPERADMIN_PASSWORD") or claim.secret("superadmin_password", 15)
        ),
        "DJANGO_SETTINGS_MODULE": environment.get("DJANGO_SETTINGS_MODULE") or "config.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
        "PYTHONUNBUFFERED": "1",
        "TATAMI_DATA": str(claim.path),
    }


def merged(variables: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `environment` with `variables` in it, and without the database's superuser."""
    without = {name: value for name, value in environment.items() if name != "ADMIN_DATABASE_URL"}
    return {**without, **variables}
