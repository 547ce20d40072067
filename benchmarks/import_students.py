"""Time the import of 5,000 students: preview, import, and the same file again. `make bench-import`.

The benchmark creates a dojo and drops it at the end. The target: the import takes at most 5 s.
"""

import sys
import time
from typing import Any
from uuid import uuid4

from benchmarks.common import drop_dojos, print_line, set_up_django

LIMIT_SECONDS = 5.0


def main() -> int:
    """Print the times; return 1 if the import took longer than `LIMIT_SECONDS`."""
    set_up_django()
    from shared_apps.tenants.models import Tenant
    from shared_apps.tenants.provisioning import FirstAdmin, create_tenant, migrate_all
    from tatami import clock
    from tatami.tenancy.scope import platform_scope
    from tests.support.clients import Dojo

    slug, no_password = f"bench-{uuid4().hex[:8]}", "!"
    with platform_scope():
        assert migrate_all() == []
        head = FirstAdmin(email="head@example.com", name="Head", password_hash=no_password)
        create_tenant(name="Bench", slug=slug, timezone="Europe/Berlin", admin=head, now=clock.now())
        tenant = Tenant.objects.with_primary_domain().get(slug=slug)
    try:
        return measure(Dojo(tenant.scope))
    finally:
        drop_dojos(slug)


def measure(dojo: Any) -> int:
    """Upload the file three times, then export the students."""
    from tests.students.csv_files import large_file, upload

    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    content, _ = large_file(system=system["name"], rank=system["ranks"][0]["name"])
    confirm = 0.0
    for name, path in (
        ("preview", "/students/import?dry_run=true"),
        ("confirm", "/students/import"),
        ("again", "/students/import"),
    ):
        started, cpu = time.perf_counter(), time.process_time()
        body = upload(dojo.admin, content, path).json()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        confirm = wall if name == "confirm" else confirm
        sums = ", ".join(f"{body[key]} {key}" for key in ("created", "updated", "failed"))
        print_line(f"{name:8} {wall:5.2f} s, {cpu:.2f} s CPU time of this process: {sums}")
    started = time.perf_counter()
    size = sum(map(len, dojo.admin.get("/students/export").streaming_content))
    print_line(f"export   {time.perf_counter() - started:5.2f} s: {size:,} bytes")
    return int(confirm > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
