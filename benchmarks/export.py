"""A round trip of a whole dojo: 5,000 students, 500,000 attendances. `make bench-export`.

A dojo of its own is made for it, exported and restored by the commands that people on call use, each a process whose
peak memory is what the system says of it, and exported once more. All of it is dropped at the end. The limits are
issue E's: every row count and checksum equal, at most 200 MB.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from benchmarks.telling import say, verdict

STUDENTS: Final = 5_000
ATTENDANCES: Final = 500_000
MOST_MEGABYTES: Final = 200
ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Run:
    """One command: how long it took, and the most memory that it had."""

    seconds: float
    megabytes: float
    said: dict[str, Any]


def main() -> int:
    """Print times and memory; return 1 if a checksum differs, or a process took more memory than it may.

    All work is done by other processes: what the system says of a child's memory includes its parent's.
    """
    slug = f"bench-{uuid4().hex[:8]}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            size = ("--students", str(STUDENTS), "--attendances", str(ATTENDANCES))
            manage("prepare", "--no-demo")
            manage("demo_big", "--slug", slug, *size)
            return measure(slug, Path(folder))
    finally:
        drop(slug)


def drop(slug: str) -> None:
    """Drop the dojo and its copy."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from shared_apps.tenants import schemas
    from shared_apps.tenants.models import Tenant
    from tatami.tenancy.scope import platform_scope

    with platform_scope():
        for tenant in Tenant.objects.filter(slug__startswith=slug):
            schemas.drop_schema(tenant.schema_name)
            Tenant.objects.filter(pk=tenant.pk).delete()


def measure(slug: str, folder: Path) -> int:
    """Export, restore, export again; compare."""
    first, second = folder / "first.zip", folder / "second.zip"
    exported = run("tenant_export", slug, "--output", str(first))
    restored = run("tenant_restore", str(first), "--slug", f"{slug}-copy")
    again = run("tenant_export", f"{slug}-copy", "--output", str(second))
    one, other = manifest_of(first), manifest_of(second)
    equal = one["tables"] == other["tables"] and one["files"] == other["files"]
    attendances = next(t["rows"] for t in one["tables"] if t["name"] == "attendance_attendance")
    unpacked = sum(table["bytes"] for table in one["tables"])

    say("")
    say(
        f"{exported.said['rows']:,} rows in {len(one['tables'])} tables, {attendances:,} of them attendances; "
        f"{unpacked / 1e6:,.0f} MB as text, {exported.said['bytes'] / 1e6:,.0f} MB as archive"
    )
    say(
        f"Python {platform.python_version()}, {os.cpu_count()} processors; the process's start is part of its time"
    )
    say("")
    for name, one_run in (
        ("tenant_export", exported),
        ("tenant_restore", restored),
        ("tenant_export of the copy", again),
    ):
        say(f"  {name:26} {one_run.seconds:6.1f} s   {one_run.megabytes:6.0f} MB at most")
    peak = max(one_run.megabytes for one_run in (exported, restored, again))
    say("")
    say(f"  checksums   {'all equal' if equal else 'DIFFERENT':>9}   target: all equal {verdict(equal)}")
    say(
        f"  memory      {peak:6.0f} MB   target: at most {MOST_MEGABYTES} MB {verdict(peak <= MOST_MEGABYTES)}"
    )
    return int(not equal or peak > MOST_MEGABYTES)


def manage(*arguments: str, out: IO[bytes] | None = None) -> float:
    """Run a command of manage.py, whose progress goes to the terminal; return its peak memory in MB."""
    say(f"manage.py {' '.join(arguments)}")
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    process = subprocess.Popen(command, stdout=out or sys.stderr, cwd=ROOT)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def run(*arguments: str) -> Run:
    """Run a command and keep what it says."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        megabytes = manage(*arguments, "--json", out=out)
        seconds = time.perf_counter() - began
        out.seek(0)
        lines = out.read().decode()
    return Run(seconds, megabytes, json.loads(lines[lines.index("{\n") :]))


def manifest_of(archive: Path) -> Any:
    with zipfile.ZipFile(archive) as packed:
        return json.loads(packed.read("manifest.json"))


if __name__ == "__main__":
    sys.exit(main())
