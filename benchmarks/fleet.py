"""Measure fleets of 10 to 2,000 dojos. `make bench-fleet`; ARGS="10 200" chooses the sizes.

The benchmark uses a database of its own and drops it at the end. At each size it measures: creating a dojo
(`POST /tenants` without a password, compared with a bare replay of its statements, and with `create_schema` of
django-tenants for the same models); `GET /me` in every dojo on one connection, and the memory of that connection's
server process; migrating the fleet when all dojos are current, and when all lack one column. 2,000 dojos take about ten
minutes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.common import print_line, set_up_django

SIZES: Final = (10, 200, 2_000)
SAMPLES: Final = 25
"""How many dojos are created and replayed for the figures of a size."""
STOCK_SAMPLES: Final = 5
BLOCK: Final = 200
BLOCKS: Final = 20
"""`GET /me` runs in `BLOCKS` blocks of `BLOCK` requests. The fastest block counts, because other load slows down single
blocks."""
DATABASE: Final = "bench_fleet"
WORKERS: Final = 4

MAX_POST_MS: Final = 150
MAX_TIMES_THE_REPLAY: Final = 1.3
MIN_TIMES_FASTER: Final = 6
MAX_NOOP_SECONDS: Final = 5
MIN_DOJOS_PER_SECOND: Final = 60
MAX_TIMES_THE_SMALLEST: Final = 1.15

LIMITS: Final = f"""\
limits: POST /tenants {MAX_POST_MS} ms, {MAX_TIMES_THE_REPLAY} times the replay, {MIN_TIMES_FASTER} times faster
than django-tenants; all current {MAX_NOOP_SECONDS} s; one column {MIN_DOJOS_PER_SECOND} dojos/s (from 200 dojos on);
GET /me {MAX_TIMES_THE_SMALLEST} times that of the smallest fleet"""


@dataclass
class Figures:
    """The measurements at one size. Times in milliseconds, memory in MB."""

    dojos: int
    post: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)
    """Each is measured right after the `post` with the same index, so that other load affects both alike."""
    stock: list[float] = field(default_factory=list)
    me_first: float = 0.0
    me: float = 0.0
    memory: float | None = None
    noop_seconds: float = 0.0
    column_seconds: float = 0.0
    column_rate: float = 0.0


def main() -> int:
    """Print the table; return 1 if a target was missed."""
    set_up_django()
    from django.conf import settings
    from django.db import connections
    from psycopg.conninfo import make_conninfo

    from shared_apps.tenants.provisioning import migrate_all
    from tatami import clock
    from tatami.embedded.logins import OWNER, create_database, database_url, drop_database
    from tatami.tenancy.scope import platform_scope

    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    admin = make_conninfo(os.environ["ADMIN_DATABASE_URL"])
    create_database(admin, DATABASE, OWNER, recreate=True)
    try:
        for alias, variable in (("default", "DATABASE_URL"), ("owner", "OWNER_DATABASE_URL")):
            login = settings.DATABASES[alias]
            login["NAME"] = connections[alias].settings_dict["NAME"] = DATABASE
            os.environ[variable] = database_url(
                admin, user=login["USER"], password=login["PASSWORD"], database=DATABASE
            )
        # Fix the clock, because tokens expire after five minutes.
        with platform_scope(), TemporaryDirectory() as folder, clock.fixed(clock.now()):
            assert migrate_all() == []
            return report([measured(size, Path(folder)) for size in sizes])
    finally:
        connections.close_all()
        drop_database(admin, DATABASE)


def measured(size: int, folder: Path) -> Figures:
    """Add dojos until there are `size`, and measure."""
    from shared_apps.tenants.models import Tenant
    from tests.support.clients import Platform

    figures = Figures(size)
    superadmin = Platform().superadmin(f"root{size}@example.com")
    existing = Tenant.objects.count()
    print_line(f"{size:,} dojos: creating {size - existing:,}")
    for number in range(existing, size):
        took = milliseconds(lambda n=number: create_dojo(superadmin, n))
        if number >= size - SAMPLES:
            figures.post.append(took)
            figures.replay.append(bare_replay())
    figures.stock = [django_tenants_create() for _ in range(STOCK_SAMPLES)]
    print_line(f"{size:,} dojos: GET /me in each")
    measure_me(figures)
    print_line(f"{size:,} dojos: migrating")
    figures.noop_seconds = milliseconds(lambda: migrate_fleet(os.environ.copy())) / 1000
    one_column(size, folder, figures)
    return figures


def create_dojo(superadmin: Any, number: int) -> None:
    body = {
        "name": f"Dojo {number}",
        "slug": f"dojo-{number}",
        "timezone": "Europe/Berlin",
        "admin": {"email": "head@example.com"},
    }
    answer = superadmin.post("/tenants", body)
    assert answer.status_code == HTTPStatus.CREATED, answer.content


def bare_replay() -> float:
    """Send the statements of a dojo and its seal through a pipeline; return the milliseconds. Drop the schema."""
    from shared_apps.tenants.schema import ddl
    from shared_apps.tenants.schema.blueprint import tenant_blueprint
    from tatami.ids import uuid7
    from tatami.tenancy.seal import schema_grants, seal_statements

    tenant_id, login, blueprint = uuid7(), ddl.app_login(), tenant_blueprint()
    schema = f"bare_{tenant_id.hex}"
    statements = [
        f"CREATE SCHEMA {schema}",
        *blueprint.statements,
        *schema_grants(schema, login),
        *seal_statements(blueprint.tables, tenant_id, login),
    ]

    def replay() -> None:
        with ddl.owner_connection(schema) as owner:
            ddl.execute_all(owner, statements)

    took = milliseconds(replay)
    ddl.drop_schema(schema)
    return took


def django_tenants_create() -> float:
    """Create a schema of the same models with django-tenants; return the milliseconds. Drop the schema."""
    from shared_apps.tenants.models import Tenant
    from shared_apps.tenants.schema import ddl
    from tatami.ids import uuid7

    ddl.require_owner().set_schema_to_public()
    tenant = Tenant(schema_name=f"stock_{uuid7().hex}")
    took = milliseconds(lambda: tenant.create_schema(verbosity=0))
    ddl.drop_schema(tenant.schema_name)
    return took


def measure_me(figures: Figures) -> None:
    """Measure `GET /me` in all dojos in turn, on one new connection."""
    from django.db import connection

    from shared_apps.accounts.models import User
    from shared_apps.accounts.sessions import open_session
    from shared_apps.tenants.models import Tenant
    from tatami import clock
    from tatami.tenancy.middleware import host_resolver
    from tatami.tenancy.scope import platform_scope, tenant_scope
    from tests.support.clients import Caller

    callers = []
    for tenant in Tenant.objects.with_primary_domain():
        with tenant_scope(tenant.scope):
            token = open_session(User.objects.get(), now=clock.now()).access
        callers.append(Caller(f"{tenant.slug}.localhost", token))
    connection.close()
    host_resolver.cache_clear()
    figures.me_first = median(times_of_me(callers))
    in_turn = cycle(callers)
    figures.me = min(median(times_of_me(islice(in_turn, BLOCK))) for _ in range(BLOCKS))
    with platform_scope():
        connection.ensure_connection()
        figures.memory = private_megabytes(connection.connection.info.backend_pid)


def times_of_me(callers: Iterable[Any]) -> list[float]:
    return [milliseconds(lambda c=caller: ask(c)) for caller in callers]


def ask(caller: Any) -> None:
    answer = caller.get("/me")
    assert answer.status_code == HTTPStatus.OK, answer.content


def private_megabytes(pid: int) -> float | None:
    """Return the private memory of a process, without shared buffers; `None` without /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("RssAnon:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024 / 1e6


def one_column(size: int, folder: Path, figures: Figures) -> None:
    """Add a column to every dojo with a later version of the code; then remove the record of that version."""
    from django.db import connections

    from shared_apps.tenants.models import Tenant
    from shared_apps.tenants.schema import ddl
    from tests.tenants import future_migrations

    here = folder / str(size)
    here.mkdir()
    name = f"nickname_{size}"
    future_migrations.write_future(
        here, {name: future_migrations.ADD_NICKNAME.replace("'nickname'", f"'{name}'")}
    )
    before = Tenant.objects.values_list("schema_version", flat=True).first()
    # Close our connections: their caches hold the catalogue of every dojo, and each change would invalidate them.
    connections.close_all()
    result = migrate_fleet(future_migrations.environment(here))
    figures.column_seconds = result["seconds"]
    figures.column_rate = result["migrated"] / result["seconds"]
    for schema in Tenant.objects.values_list("schema_name", flat=True):
        with ddl.owner_connection(schema) as owner, owner.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name LIKE '9001%%'")
    Tenant.objects.update(schema_version=before)


def migrate_fleet(environment: dict[str, str]) -> dict[str, Any]:
    """Run the command `migrate_fleet`; return its report."""
    command = [sys.executable, "manage.py", "migrate_fleet", "--json", "--workers", str(WORKERS)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)  # noqa: S603
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def report(all_figures: list[Figures]) -> int:
    """Print the table, with a mark at each missed target; return 1 if one was missed."""
    smallest = all_figures[0].me
    missed = 0

    def cell(value: float, form: str, *, is_met: bool = True) -> str:
        nonlocal missed
        missed += not is_met
        return f"{value:{form}}{' ' if is_met else '!'}"

    def ratio(value: float, *, most: float = float("inf"), least: float = 0.0) -> str:
        return cell(value, ".2f", is_met=least <= value <= most)

    def rate(figures: Figures) -> str:
        is_small = figures.dojos < SIZES[1]  # the fixed costs dominate
        return cell(
            figures.column_rate, ".0f", is_met=is_small or figures.column_rate >= MIN_DOJOS_PER_SECOND
        )

    def post(f: Figures) -> float:
        return median(f.post)

    def to_replay(f: Figures) -> float:
        return median(took / bare for took, bare in zip(f.post, f.replay, strict=True))

    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("POST /tenants, median ms", lambda f: cell(post(f), ".1f", is_met=post(f) <= MAX_POST_MS)),
        ("POST /tenants, p95 ms", lambda f: cell(quantiles(f.post, n=20)[-1], ".1f")),
        ("bare pipelined replay, median ms", lambda f: cell(median(f.replay), ".1f")),
        ("  POST / replay, median", lambda f: ratio(to_replay(f), most=MAX_TIMES_THE_REPLAY)),
        ("django-tenants, median ms", lambda f: cell(median(f.stock), ".0f")),
        ("  django-tenants / POST", lambda f: ratio(median(f.stock) / post(f), least=MIN_TIMES_FASTER)),
        ("GET /me, quietest median ms", lambda f: cell(f.me, ".2f")),
        ("  to the smallest fleet's", lambda f: ratio(f.me / smallest, most=MAX_TIMES_THE_SMALLEST)),
        ("  a dojo's first on a connection", lambda f: cell(f.me_first, ".2f")),
        ("memory of that connection, MB", lambda f: "? " if f.memory is None else cell(f.memory, ".0f")),
        (
            "migrate_fleet, all current, s",
            lambda f: cell(f.noop_seconds, ".1f", is_met=f.noop_seconds <= MAX_NOOP_SECONDS),
        ),
        ("migrate_fleet, one column, s", lambda f: cell(f.column_seconds, ".1f")),
        ("  dojos/s", rate),
    ]
    print_line("")
    print_line(f"{'dojos':34}" + "".join(f"{figures.dojos:>10,} " for figures in all_figures))
    for name, show in rows:
        print_line(f"{name:34}" + "".join(f"{show(figures):>11}" for figures in all_figures))
    print_line(f"\n{LIMITS}" + ("" if not missed else f"\n! {missed} missed"))
    return int(missed > 0)


def milliseconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    sys.exit(main())
