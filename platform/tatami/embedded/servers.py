"""Run PostgreSQL and Valkey, unless the environment names others; and the environment variables to reach them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict

from tatami.embedded.child_process import ChildProcess
from tatami.embedded.data_folder import ROOT, DataFolder
from tatami.embedded.errors import EmbeddedError
from tatami.embedded.logins import create_logins, database_url
from tatami.embedded.postgres import run_postgres
from tatami.embedded.valkey import broker_url, redis_url, run_valkey


@dataclass(frozen=True)
class Servers:
    """The URLs of the servers. `admin_url` is the superuser's, or `None` for an external server that names none."""

    database_url: str
    owner_database_url: str
    redis_url: str
    broker_url: str
    admin_url: str | None
    children: tuple[ChildProcess, ...] = field(default=(), repr=False)
    """The servers that we started, in the order of their start."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables that the settings read, without the superuser's URL."""
        return {
            "DATABASE_URL": self.database_url,
            "OWNER_DATABASE_URL": self.owner_database_url,
            "REDIS_URL": self.redis_url,
            "CELERY_BROKER_URL": self.broker_url,
        }


@contextmanager
def running_servers(
    data_folder: DataFolder, *, durable: bool = True, environment: Mapping[str, str] = os.environ
) -> Iterator[Servers]:
    """Start the servers that `environment` does not name, in a locked data folder. Valkey stops first.

    Raises `EmbeddedError` if only one of DATABASE_URL and OWNER_DATABASE_URL is set, and `ServerDidNotStart`.
    """
    app, owner = environment.get("DATABASE_URL"), environment.get("OWNER_DATABASE_URL")
    redis = environment.get("REDIS_URL")
    admin = environment.get("ADMIN_DATABASE_URL") or None
    children: list[ChildProcess] = []
    with ExitStack() as stack:
        if bool(app) != bool(owner):
            raise EmbeddedError(
                "DATABASE_URL and OWNER_DATABASE_URL belong together: set both for a server of your own, "
                "or neither for the embedded one."
            )
        if not (app and owner):
            child, conninfo = stack.enter_context(run_postgres(data_folder, durable=durable))
            children.append(child)
            app, owner, admin = _logins(data_folder, conninfo)
        if not redis:
            child, socket = stack.enter_context(run_valkey(data_folder, durable=durable))
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


def _logins(data_folder: DataFolder, conninfo: str) -> tuple[str, str, str]:
    urls = create_logins(
        conninfo,
        app_password=data_folder.secret("tatami_app"),
        owner_password=data_folder.secret("tatami_owner"),
    )
    admin = conninfo_to_dict(conninfo)
    superuser = database_url(
        conninfo, user=str(admin["user"]), password=str(admin["password"]), database="postgres"
    )
    return urls.app, urls.owner, superuser


DEFAULT_SUPERADMIN = "admin@localhost"


def application_variables(
    data_folder: DataFolder, servers: Servers, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables that the application's processes need in addition to our own environment.

    Missing secrets are created once and stored. The URL of the database's superuser is left out, because no process of
    the application should have it.
    """
    return {
        **servers.environment(),
        "JWT_SECRET": environment.get("JWT_SECRET") or data_folder.secret("jwt_secret", 48),
        "TATAMI_SUPERADMIN_EMAIL": environment.get("TATAMI_SUPERADMIN_EMAIL") or DEFAULT_SUPERADMIN,
        "TATAMI_SUPERADMIN_PASSWORD": (
            environment.get("TATAMI_SUPERADMIN_PASSWORD") or data_folder.secret("superadmin_password", 15)
        ),
        "DJANGO_SETTINGS_MODULE": environment.get("DJANGO_SETTINGS_MODULE") or "config.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
        "PYTHONUNBUFFERED": "1",
        "TATAMI_DATA": str(data_folder.path),
    }


def merge_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process updated with `variables`, without the URL of the database's superuser."""
    without = {name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"}
    return {**without, **variables}
