"""Done-point 2 of the issue: whoever is killed while dojos are made, each is whole in the end, or gone.

And none that is half made ever answered anything but 404.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import pytest
from django.conf import settings
from django.db import connections
from psycopg.conninfo import make_conninfo

from shared_apps.tenants import schemas
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import clear_abandoned
from tatami.embedded.child import Child
from tatami.embedded.logins import database_url
from tatami.embedded.programs import Application
from tatami.tenancy.scope import TenantScope, platform_scope
from tatami.tenancy.seal import verify_seal
from tests.attendance.desk import Desk
from tests.chaos.crew import free_port
from tests.clients import Platform
from tests.tenancy.catalogue import facts
from tests.tenancy.world import superuser_of

ROUNDS: Final = 20
MAKERS: Final = 3
READY_WITHIN_SECONDS: Final = 60.0
CLEARED_WITHIN_SECONDS: Final = 30.0
LATEST_BLOW_SECONDS: Final = {"web process": 2.5, "owner's backend": 0.8}
"""A web process that was started just now takes longer for its first dojos."""

Say = Callable[[str], None]
Answer = tuple[int, str]
NOT_FOUND: Final = (404, "tenant_not_found")
SERVES: Final = (401, "not_authenticated")


@dataclass
class Web:
    """The web process: one worker, started again when it was killed."""

    child: Child
    port: int

    def ask(
        self, method: str, host: str, path: str, body: Any = None, token: str = ""
    ) -> tuple[int, Any] | None:
        """Return status and JSON; None if nobody answered."""
        link = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = orjson.dumps(body) if body is not None else None
            headers = {"Host": host, "Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            link.request(method, path, content, headers if token else {"Host": host})
            answer = link.getresponse()
            return answer.status, orjson.loads(answer.read())
        except (OSError, HTTPException):
            return None
        finally:
            link.close()

    def be_ready(self) -> None:
        if not self.child.is_alive():
            self.child.start()
        until = time.monotonic() + READY_WITHIN_SECONDS
        while (self.ask("GET", "localhost", "/healthz") or (0, None))[0] != 200:
            assert time.monotonic() < until, "the web process did not come back"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it with its worker, at once."""
        self.child.end_group()
        self.child.process.wait()


@pytest.fixture
def web(tmp_path: Path, database_name: str, chaos_desk: Desk) -> Iterator[Web]:
    admin, port = make_conninfo(os.environ["ADMIN_DATABASE_URL"]), free_port()
    more = {"TATAMI_DATA": str(tmp_path), "TATAMI_WEB_WORKERS": "1", "TATAMI_POOL_MIN": "1"}
    for variable, alias in (("DATABASE_URL", "default"), ("OWNER_DATABASE_URL", "owner")):
        login = settings.DATABASES[alias]
        more[variable] = database_url(
            admin, user=login["USER"], password=login["PASSWORD"], database=database_name
        )
    (tmp_path / "logs").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"} | more
    child = Child(Application(tmp_path, environment, port).web())
    try:
        yield Web(child, port)
    finally:
        child.stop()


@dataclass
class Visitor:
    """Somebody who knocks at the door of dojos all the time, and remembers how he was answered."""

    web: Web
    slugs: list[str]
    seen: dict[str, list[Answer]] = field(default_factory=dict)

    @contextmanager
    def knocking(self) -> Iterator[None]:
        over = threading.Event()

        def knock() -> None:
            while not over.is_set():
                for slug in self.slugs:
                    self.knock(slug)

        thread = threading.Thread(target=knock)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def knock(self, slug: str) -> None:
        answer = self.web.ask("GET", f"{slug}.localhost", "/me")
        if answer is not None:
            self.seen.setdefault(slug, []).append((answer[0], answer[1]["error"]["code"]))


def end_owners_backends(superuser: Any) -> int:
    """Have PostgreSQL end what the owner's login of the web process is doing; return how many were at it."""
    ended = superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s "
        "AND datname = current_database() AND pid <> pg_backend_pid()",
        [settings.DATABASES["owner"]["USER"]],
    )
    return len(ended.fetchall())


def cleared() -> int:
    """Run the sweeper until nothing is left to clear: what a killed process had asked for may still be going on."""
    total, until = 0, time.monotonic() + CLEARED_WITHIN_SECONDS
    while True:
        total += clear_abandoned()
        with platform_scope():
            if not Tenant.objects.filter(status=Tenant.Status.PROVISIONING).exists():
                return total
        assert time.monotonic() < until, "the sweeper did not come to an end"
        time.sleep(0.1)


def assert_whole(superuser: Any, tenant: Tenant, like: TenantScope) -> None:
    """Assert that a dojo's schema is sealed, and the same as one that was made in peace, and has its admin."""
    with schemas.owner_in(tenant.schema_name) as owner, owner.cursor() as cursor:
        verify_seal(cursor, tenant.schema_name, tenant.pk, schemas.app_login())
    model = facts(superuser, like.schema_name, like.tenant_id)
    assert facts(superuser, tenant.schema_name, tenant.pk) == model
    count = superuser.execute(f'SELECT count(*) FROM "{tenant.schema_name}".accounts_user').fetchone()
    assert count == (1,)


def test_a_dojo_is_whole_or_gone_whoever_is_killed(
    web: Web, chaos_desk: Desk, database_name: str, rng: Random, say: Say
) -> None:
    outcomes: Counter[str] = Counter()
    with superuser_of(database_name) as superuser:
        for number in range(ROUNDS):
            web.be_ready()
            token = Platform().superadmin(f"root-{number}-{rng.random()}@example.com").token or ""
            slugs = [f"round-{number}-{one}-{rng.randrange(10**6)}" for one in range(MAKERS)]
            visitor = Visitor(web, slugs)
            victim = rng.choice([*LATEST_BLOW_SECONDS])
            answers: dict[str, int | None] = {}

            def make(slug: str, token: str = token, answers: dict[str, int | None] = answers) -> None:
                body = {"name": slug, "slug": slug, "admin": {"email": "head@example.com"}}
                answer = web.ask("POST", "localhost", "/tenants", body, token)
                answers[slug] = answer[0] if answer else None

            makers = [threading.Thread(target=make, args=(slug,)) for slug in slugs]
            with visitor.knocking():
                for maker in makers:
                    maker.start()
                time.sleep(rng.uniform(0.0, LATEST_BLOW_SECONDS[victim]))
                if victim == "web process":
                    web.kill()
                else:
                    end_owners_backends(superuser)
                for maker in makers:
                    maker.join()
                web.be_ready()
                connections["owner"].close()  # ours was ended with the others
                swept = cleared()
            time.sleep(0.6)  # until every process has heard of it
            for slug in slugs:
                visitor.knock(slug)
            with platform_scope():
                left = {one.slug: one for one in Tenant.objects.filter(slug__in=slugs)}
            for slug in slugs:
                seen = visitor.seen[slug]
                if slug in left:
                    assert left[slug].status == Tenant.Status.ACTIVE
                    assert_whole(superuser, left[slug], chaos_desk.dojo.tenant)
                    first = seen.index(SERVES)
                    assert set(seen[:first]) <= {NOT_FOUND}
                    assert set(seen[first:]) == {SERVES}
                else:
                    assert set(seen) == {NOT_FOUND}, f"{slug} was never whole, and answered"
                    assert answers[slug] != 201, f"{slug} was promised"
                outcomes["whole" if slug in left else "gone"] += 1
            said = ", ".join(str(answers[slug]) for slug in slugs)
            say(f"round {number + 1}: {victim} killed; answers {said}; {len(left)} whole, {swept} swept")
        strange = superuser.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%' "
            "AND nspname NOT IN (SELECT schema_name FROM public.tenants_tenant)"
        ).fetchall()
        assert strange == []
    say(f"{outcomes['whole']} dojos whole, {outcomes['gone']} gone")
    assert set(outcomes) == {"whole", "gone"}, "the blows came all too early, or too late"
