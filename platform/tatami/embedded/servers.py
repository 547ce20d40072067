"""PostgreSQL and Valkey together: embedded, unless the environment names others."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict

from tatami.embedded.child import Child
from tatami.embedded.data_folder import Claim
from tatami.embedded.errors import EmbeddedError
from tatami.embedded.logins import create_logins, database_url
from tatami.embedded.postgres import postgres
from tatami.embedded.valkey import broker_url, redis_url, valkey


@dataclass(frozen=True)
class Servers:
    """Where the servers are. `admin_url` is the superuser's: of the embedded PostgreSQL, or if given."""

    database_url: str
    owner_database_url: str
    redis_url: str
    broker_url: str
    admin_url: str | None
    children: tuple[Child, ...] = field(default=(), repr=False)
    """Those that we started ourselves, in the order of their start."""

    def environment(self) -> dict[str, str]:
        """Return the variables that the settings read. The superuser's is not one of them."""
        return {
            "DATABASE_URL": self.database_url,
            "OWNER_DATABASE_URL": self.owner_database_url,
            "REDIS_URL": self.redis_url,
            "CELERY_BROKER_URL": self.broker_url,
        }


@contextmanager
def serving(
    claim: Claim, *, durable: bool = True, environment: Mapping[str, str] = os.environ
) -> Iterator[Servers]:
    """Start what `environment` does not name in a folder that is ours already; Valkey stops first."""
    app, owner = environment.get("DATABASE_URL"), environment.get("OWNER_DATABASE_URL")
    redis = environment.get("REDIS_URL")
    admin = environment.get("ADMIN_DATABASE_URL") or None
    children: list[Child] = []
    with ExitStack() as stack:
        if bool(app) != bool(owner):
            raise EmbeddedError(
                "DATABASE_URL and OWNER_DATABASE_URL belong together: set both for a server of your own, "
                "or neither for the embedded one."
            )
        if not (app and owner):
            child, conninfo = stack.enter_context(postgres(claim, durable=durable))
            children.append(child)
            app, owner, admin = _logins(claim, conninfo)
        if not redis:
            child, socket = stack.enter_context(valkey(claim, durable=durable))
            children.append(child)
            redis = redis_url(socket)
        yield Servers(
            database_url=app,
            owner_database_url=owner,
            redis_url=redis,
            broker_url=environment.get("CELERY_BROKER_URL") or broker_url(redis),
            admin_url=admin,
            children=tuple(children),
        )


def _logins(claim: Claim, conninfo: str) -> tuple[str, str, str]:
    urls = create_logins(
        conninfo, app_password=claim.secret("tatami_app"), owner_password=claim.secret("tatami_owner")
    )
    admin = conninfo_to_dict(conninfo)
    superuser = database_url(
        conninfo, user=str(admin["user"]), password=str(admin["password"]), database="postgres"
    )
    return urls.app, urls.owner, superuser
