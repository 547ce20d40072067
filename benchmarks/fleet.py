"""What a fleet of dojos costs, from 10 to 2,000 of them. `make bench-fleet`; ARGS="10 200" chooses the sizes.

In a database of its own, dropped at the end. At each size: making a dojo (`POST /tenants` without a password, next to
the bare replay of its statements and to django-tenants' own `create_schema` on the same models), `GET /me` in every
dojo on one connection and the memory of that connection's server process, migrating the fleet when nobody is behind
and when everybody lacks one column. The limits are issue E's. 2,000 dojos take about ten minutes.
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

from benchmarks.telling import say

SIZES: Final = (10, 200, 2_000)
SAMPLES: Final = 25
"""How many dojos are made, and replayed, for the figures of a size."""
STOCK_SAMPLES: Final = 5
BLOCK: Final = 200
BLOCKS: Final = 20
"""`GET /me` is asked in so many blocks of so many requests at every size, and the quietest block counts: what else the
machine does lengthens single blocks, and must not pass for the fleet's size."""
DATABASE: Final = "bench_fleet"
WORKERS: Final = 4

MOST_POST_MS: Final = 150
MOST_TIMES_THE_REPLAY: Final = 1.3
LEAST_TIMES_FASTER: Final = 6
MOST_NOOP_SECONDS: Final = 5
LEAST_DOJOS_A_SECOND: Final = 60
MOST_TIMES_THE_SMALLEST: Final = 1.15

LIMITS: Final = f"""\
limits: POST /tenants {MOST_POST_MS} ms, {MOST_TIMES_THE_REPLAY} times the replay, {LEAST_TIMES_FASTER} times faster
than django-tenants; nobody behind {MOST_NOOP_SECONDS} s; one column {LEAST_DOJOS_A_SECOND} dojos/s (from 200 dojos on);
GET /me {MOST_TIMES_THE_SMALLEST} times that of the smallest fleet"""


@dataclass
class Figures:
    """What was measured at one size. Times in milliseconds, memory in MB."""

    dojos: int
    post: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)
    """Each right after the `post` of the same place, so that their ratio is not one of two moods of the machine."""
    stock: list[float] = field(default_factory=list)
    me_first: float = 0.0
    me: float = 0.0
    memory: float | None = None
    noop_seconds: float = 0.0
    column_seconds: float = 0.0
    column_rate: float = 0.0


def main() -> int:
    """Print the table; return 1 if a limit was missed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
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
        # The clock stands still: tokens live five minutes, this does not.
        with platform_scope(), TemporaryDirectory() as folder, clock.fixed(clock.now()):
            migrate_all()
            return report([measured(size, Path(folder)) for size in sizes])
    finally:
        connections.close_all()
        drop_database(admin, DATABASE)


def measured(size: int, folder: Path) -> Figures:
    """Let the fleet grow to `size`, and measure it there."""
    from shared_apps.tenants.models import Tenant
    from tests.support.clients import Platform

    figures = Figures(size)
    superadmin = Platform().superadmin(f"root{size}@example.com")
    there = Tenant.objects.count()
    say(f"{size:,} dojos: making {size - there:,}")
    for number in range(there, size):
        took = milliseconds(lambda n=number: make(superadmin, n))
        if number >= size - SAMPLES:
            figures.post.append(took)
            figures.replay.append(bare_replay())
    figures.stock = [django_tenants_way() for _ in range(STOCK_SAMPLES)]
    say(f"{size:,} dojos: GET /me in each")
    ask_all(figures)
    say(f"{size:,} dojos: migrating")
    figures.noop_seconds = milliseconds(lambda: migrate_fleet(os.environ.copy())) / 1000
    one_column(size, folder, figures)
    return figures


def make(superadmin: Any, number: int) -> None:
    body = {
        "name": f"Dojo {number}",
        "slug": f"dojo-{number}",
        "timezone": "Europe/Berlin",
        "admin": {"email": "head@example.com"},
    }
    answer = superadmin.post("/tenants", body)
    assert answer.status_code == HTTPStatus.CREATED, answer.content


def bare_replay() -> float:
    """Send a dojo's statements and the seal's through a pipeline; return the milliseconds. Drop it again."""
    from shared_apps.tenants import schemas
    from shared_apps.tenants.blueprint import tenant_blueprint
    from tatami.ids import uuid7
    from tatami.tenancy.seal import schema_grants, seal_statements

    tenant_id, login, blueprint = uuid7(), schemas.app_login(), tenant_blueprint()
    schema = f"bare_{tenant_id.hex}"
    statements = [
        f"CREATE SCHEMA {schema}",
        *blueprint.statements,
        *schema_grants(schema, login),
        *seal_statements(blueprint.tables, tenant_id, login),
    ]

    def replay() -> None:
        with schemas.owner_in(schema) as owner:
            schemas.send(owner, statements)

    took = milliseconds(replay)
    schemas.drop_schema(schema)
    return took


def django_tenants_way() -> float:
    """Let django-tenants make a schema of the same models; return the milliseconds. Drop it again."""
    from shared_apps.tenants import schemas
    from shared_apps.tenants.models import Tenant
    from tatami.ids import uuid7

    schemas.require_owner().set_schema_to_public()
    tenant = Tenant(schema_name=f"stock_{uuid7().hex}")
    took = milliseconds(lambda: tenant.create_schema(verbosity=0))
    schemas.drop_schema(tenant.schema_name)
    return took


def ask_all(figures: Figures) -> None:
    """Ask for /me in every dojo in turn, on a new connection that serves them all."""
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
    figures.me_first = median(asked(callers))
    turns = cycle(callers)
    figures.me = min(median(asked(islice(turns, BLOCK))) for _ in range(BLOCKS))
    with platform_scope():
        connection.ensure_connection()
        figures.memory = private_megabytes(connection.connection.info.backend_pid)


def asked(callers: Iterable[Any]) -> list[float]:
    return [milliseconds(lambda c=caller: ask(c)) for caller in callers]


def ask(caller: Any) -> None:
    answer = caller.get("/me")
    assert answer.status_code == HTTPStatus.OK, answer.content


def private_megabytes(pid: int) -> float | None:
    """Return what a process holds for itself, shared buffers aside; None where this machine cannot tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("RssAnon:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024 / 1e6


def one_column(size: int, folder: Path, figures: Figures) -> None:
    """Give every dojo one column, in a process of a later version; then forget that version."""
    from django.db import connections

    from shared_apps.tenants import schemas
    from shared_apps.tenants.models import Tenant
    from tests.tenants import future

    here = folder / str(size)
    here.mkdir()
    name = f"nickname_{size}"
    future.write_future(here, {name: future.ADD_NICKNAME.replace("'nickname'", f"'{name}'")})
    before = Tenant.objects.values_list("schema_version", flat=True).first()
    # Our connections hold a catalogue of every dojo, which each change makes the server look at.
    connections.close_all()
    told = migrate_fleet(future.environment(here))
    figures.column_seconds = told["seconds"]
    figures.column_rate = told["migrated"] / told["seconds"]
    for schema in Tenant.objects.values_list("schema_name", flat=True):
        with schemas.owner_in(schema) as owner, owner.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name LIKE '9001%%'")
    Tenant.objects.update(schema_version=before)


def migrate_fleet(environment: dict[str, str]) -> dict[str, Any]:
    """Run the command as people do; return its report."""
    command = [sys.executable, "manage.py", "migrate_fleet", "--json", "--workers", str(WORKERS)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)  # noqa: S603
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def report(all_figures: list[Figures]) -> int:
    """Print the table, with a mark where a limit was missed; return 1 if one was."""
    smallest = all_figures[0].me
    missed = 0

    def cell(value: float, form: str, *, is_met: bool = True) -> str:
        nonlocal missed
        missed += not is_met
        return f"{value:{form}}{' ' if is_met else '!'}"

    def ratio(value: float, *, most: float = float("inf"), least: float = 0.0) -> str:
        return cell(value, ".2f", is_met=least <= value <= most)

    def rate(figures: Figures) -> str:
        is_small = figures.dojos < SIZES[1]  # the rehearsal is paid once
        return cell(
            figures.column_rate, ".0f", is_met=is_small or figures.column_rate >= LEAST_DOJOS_A_SECOND
        )

    def post(f: Figures) -> float:
        return median(f.post)

    def to_replay(f: Figures) -> float:
        return median(took / bare for took, bare in zip(f.post, f.replay, strict=True))

    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("POST /tenants, median ms", lambda f: cell(post(f), ".1f", is_met=post(f) <= MOST_POST_MS)),
        ("POST /tenants, p95 ms", lambda f: cell(quantiles(f.post, n=20)[-1], ".1f")),
        ("bare pipelined replay, median ms", lambda f: cell(median(f.replay), ".1f")),
        ("  POST / replay, median", lambda f: ratio(to_replay(f), most=MOST_TIMES_THE_REPLAY)),
        ("django-tenants, median ms", lambda f: cell(median(f.stock), ".0f")),
        ("  django-tenants / POST", lambda f: ratio(median(f.stock) / post(f), least=LEAST_TIMES_FASTER)),
        ("GET /me, quietest median ms", lambda f: cell(f.me, ".2f")),
        ("  to the smallest fleet's", lambda f: ratio(f.me / smallest, most=MOST_TIMES_THE_SMALLEST)),
        ("  a dojo's first on a connection", lambda f: cell(f.me_first, ".2f")),
        ("memory of that connection, MB", lambda f: "? " if f.memory is None else cell(f.memory, ".0f")),
        (
            "migrate_fleet, nobody behind, s",
            lambda f: cell(f.noop_seconds, ".1f", is_met=f.noop_seconds <= MOST_NOOP_SECONDS),
        ),
        ("migrate_fleet, one column, s", lambda f: cell(f.column_seconds, ".1f")),
        ("  dojos/s", rate),
    ]
    say("")
    say(f"{'dojos':34}" + "".join(f"{figures.dojos:>10,} " for figures in all_figures))
    for name, show in rows:
        say(f"{name:34}" + "".join(f"{show(figures):>11}" for figures in all_figures))
    say(f"\n{LIMITS}" + ("" if not missed else f"\n! {missed} missed"))
    return int(missed > 0)


def milliseconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    sys.exit(main())
