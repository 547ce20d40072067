"""What lies in the data folder is for its owner only: another account can read neither files nor mail."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tatami.embedded.checkout import Checkout

pytestmark = pytest.mark.slow

STRANGER = 54_321
"""The id of an account that has nothing to do with Tatami."""

WRITE = """
import os, pathlib
from django.conf import settings
data = pathlib.Path(os.environ["TATAMI_DATA"])
settings.configure(
    EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend", EMAIL_FILE_PATH=str(data / "mail"),
    STORAGES={"default": {"BACKEND": "django.core.files.storage.FileSystemStorage",
                          "OPTIONS": {"location": str(data / "files")}}},
)
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import send_mail
send_mail("Set your password", "canary of a link", None, ["kim@example.com"])
default_storage.save("dojo/exports/archive.zip", ContentFile(b"canary of an archive"))
(data / "metrics").mkdir()
(data / "metrics" / "counters.db").write_text("canary of a counter")
"""

READ = """
import json, os, sys
readable = []
for path in json.load(sys.stdin):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
    except PermissionError:
        continue
    readable.append(path)
print(json.dumps(readable))
"""


def readable_for_a_stranger(paths: list[Path]) -> list[str]:
    """Return which of the paths another account can list or read."""
    if os.geteuid() != 0:  # another account cannot be tried, so its permission bits are looked at
        return [
            str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & (stat.S_IROTH | stat.S_IRGRP)
        ]
    answer = subprocess.run(
        ["/usr/bin/env", "python3", "-c", READ],
        input=json.dumps([str(path) for path in paths]),
        user=STRANGER, group=STRANGER, extra_groups=[],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    found: list[str] = json.loads(answer.stdout)
    return found


def open_parents(path: Path) -> None:
    """Let every account enter the folders above, so that only the data folder itself protects its content."""
    for parent in path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o711)


def test_another_account_reads_neither_files_nor_mail(empty_checkout: Checkout) -> None:
    code, output = empty_checkout.finish("exec", "--", sys.executable, "-c", WRITE)
    assert code == 0, output
    open_parents(empty_checkout.data)
    written = [path for path in empty_checkout.data.rglob("*") if not path.is_symlink()]
    names = {path.name for path in written}
    assert {"secrets.json", "archive.zip", "mail", "counters.db", "postgres.log", "PG_VERSION"} <= names
    assert any(path.suffix == ".log" and path.parent.name == "mail" for path in written)
    assert readable_for_a_stranger([empty_checkout.data, *written]) == []


def test_mail_that_an_earlier_version_left_open_is_closed(checkout: Checkout) -> None:
    mail = checkout.data / "mail" / "old.log"
    mail.parent.mkdir(mode=0o755)
    mail.parent.chmod(0o755)
    mail.write_text("canary")
    mail.chmod(0o644)
    open_parents(checkout.data)
    if os.geteuid() == 0:
        assert readable_for_a_stranger([mail]) == [str(mail)]
    code, output = checkout.finish("exec", "--", "true")
    assert code == 0, output
    assert stat.S_IMODE(mail.parent.stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert readable_for_a_stranger([mail]) == []


@pytest.mark.parametrize("folder", ["postgres", "valkey", "logs"])
def test_the_folders_of_the_servers_are_closed(checkout: Checkout, folder: str) -> None:
    code, output = checkout.finish("exec", "--", "true")
    assert code == 0, output
    assert stat.S_IMODE((checkout.data / folder).stat().st_mode) == 0o700
