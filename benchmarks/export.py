"""Export and restore a dojo of 5,000 students and 500,000 attendances. `make bench-export`.

The benchmark creates a dojo, exports and restores it with the commands for operators, and exports the copy. Each
command is a process whose peak memory the system reports. Both dojos are dropped at the end. The targets: all row
counts and checksums are equal, and no process takes more than 200 MB.
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

from benchmarks.common import drop_dojos, print_line, set_up_django, target_mark

STUDENTS: Final = 5_000
ATTENDANCES: Final = 500_000
MAX_MEGABYTES: Final = 200
ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Run:
    """A finished command: its time, its peak memory, and its JSON."""

    seconds: float
    megabytes: float
    result: dict[str, Any]


def main() -> int:
    """Print times and memory; return 1 if a checksum differs or a process took too much memory.

    Child processes do all the work, because the peak memory of a child includes its parent's at the fork.
    """
    slug = f"bench-{uuid4().hex[:8]}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            size = ("--students", str(STUDENTS), "--attendances", str(ATTENDANCES))
            manage("prepare", "--no-demo")
            manage("demo_big", "--slug", slug, *size)
            return measure(slug, Path(folder))
    finally:
        set_up_django()
        drop_dojos(slug)


def measure(slug: str, folder: Path) -> int:
    """Export, restore, export the copy; compare both archives."""
    first, second = folder / "first.zip", folder / "second.zip"
    exported = run("tenant_export", slug, "--output", str(first))
    restored = run("tenant_restore", str(first), "--slug", f"{slug}-copy")
    again = run("tenant_export", f"{slug}-copy", "--output", str(second))
    one, other = manifest_of(first), manifest_of(second)
    equal = one["tables"] == other["tables"] and one["files"] == other["files"]
    attendances = next(t["rows"] for t in one["tables"] if t["name"] == "attendance_attendance")
    unpacked = sum(table["bytes"] for table in one["tables"])

    print_line("")
    print_line(
        f"{exported.result['rows']:,} rows in {len(one['tables'])} tables, {attendances:,} of them attendances; "
        f"{unpacked / 1e6:,.0f} MB as text, {exported.result['bytes'] / 1e6:,.0f} MB as archive"
    )
    print_line(
        f"Python {platform.python_version()}, {os.cpu_count()} processors; times include the start of the process"
    )
    print_line("")
    for name, one_run in (
        ("tenant_export", exported),
        ("tenant_restore", restored),
        ("tenant_export of the copy", again),
    ):
        print_line(f"  {name:26} {one_run.seconds:6.1f} s   {one_run.megabytes:6.0f} MB at most")
    peak = max(one_run.megabytes for one_run in (exported, restored, again))
    print_line("")
    print_line(
        f"  checksums   {'all equal' if equal else 'DIFFERENT':>9}   target: all equal {target_mark(equal)}"
    )
    print_line(
        f"  memory      {peak:6.0f} MB   target: at most {MAX_MEGABYTES} MB {target_mark(peak <= MAX_MEGABYTES)}"
    )
    return int(not equal or peak > MAX_MEGABYTES)


def manage(*arguments: str, out: IO[bytes] | None = None) -> float:
    """Run a command of manage.py; return its peak memory in MB. Its output goes to `out`, or to the terminal."""
    print_line(f"manage.py {' '.join(arguments)}")
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    process = subprocess.Popen(command, stdout=out or sys.stderr, cwd=ROOT)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def run(*arguments: str) -> Run:
    """Run a command with `--json`; return its time, peak memory and JSON."""
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
