"""`manage.py check --deploy` finds nothing with the settings of an installation behind a proxy with TLS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import make_secrets

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "TATAMI_PUBLIC_SCHEME": "https",
    "PORT": "443",
    "TATAMI_TRUSTED_PROXY": "true",
    "TATAMI_BASE_DOMAIN": "dojos.example.org",
    "EMAIL_URL": "smtps://user:password@mail.example.org:465",
    "TATAMI_STORAGE_URL": "s3://key:secret@dojos?region=eu-central-1",
}


def production_environment() -> dict[str, str]:
    """Return this environment with the production's settings, and without what tests of pages set for Playwright."""
    found = {**os.environ, **PRODUCTION}
    found.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
    return found


def check(**variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**production_environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_settings_of_production_pass_djangos_check(tmp_path: Path) -> None:
    make_secrets.write_missing(tmp_path)
    done = check(JWT_SECRET=(tmp_path / "jwt_secret").read_text().strip())
    assert done.returncode == 0, done.stderr


def test_the_check_finds_an_installation_without_tls(tmp_path: Path) -> None:
    make_secrets.write_missing(tmp_path)
    done = check(JWT_SECRET=(tmp_path / "jwt_secret").read_text().strip(), TATAMI_PUBLIC_SCHEME="http")
    assert done.returncode != 0
    assert "security.W004" in done.stderr
