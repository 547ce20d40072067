"""`python -m tatami.embedded exec`: the servers, access to them, and their data."""

import json
import os
import signal
import stat
import sys
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis

from tatami.embedded import postgres
from tatami.embedded.child_process import Program
from tatami.embedded.data_folder import locked_data_folder
from tatami.embedded.errors import ServerDidNotStart
from tatami.embedded.files import LONGEST_SOCKET_PATH
from tatami.embedded.postgres import run_postgres
from tatami.embedded.stale_processes import RecordedProcess
from tatami.embedded.unprivileged_user import UnprivilegedUser, is_reachable
from tatami.embedded.valkey import broker_url
from tests.tatami.embedded.checkout import Checkout, eventually

pytestmark = pytest.mark.slow

COUNT = """
import os, psycopg, redis
with psycopg.connect(os.environ["OWNER_DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS public.runs (n int)")
    connection.execute("INSERT INTO public.runs VALUES (1)")
    print(connection.execute("SELECT count(*) FROM public.runs").fetchone()[0])
print(redis.Redis.from_url(os.environ["REDIS_URL"]).incr("runs"))
"""


def socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def test_sockets_are_elsewhere_if_the_data_folder_has_a_long_path(servers: dict[str, str]) -> None:
    assert len(os.fsencode(servers["TATAMI_DATA"])) > LONGEST_SOCKET_PATH
    with psycopg.connect(servers["DATABASE_URL"]) as connection:
        assert connection.info.server_version >= 180_000
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    with redis.Redis.from_url(servers["REDIS_URL"], decode_responses=True) as valkey:
        assert valkey.config_get("port") == {"port": "0"}


def test_folders_and_secrets_are_private(servers: dict[str, str]) -> None:
    sockets = [socket_folder(servers["DATABASE_URL"]), Path(urlsplit(servers["REDIS_URL"]).path).parent]
    data = Path(servers["TATAMI_DATA"])
    for folder in (*sockets, data / "postgres", data / "valkey", data / "logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (data / "secrets.json", data / "running.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize("login", ["postgres", "tatami_owner", "tatami_app"])
@pytest.mark.parametrize("password", ["", "postgres", "tatami"])
def test_nothing_logs_in_without_the_password(servers: dict[str, str], login: str, password: str) -> None:
    folder = socket_folder(servers["DATABASE_URL"])
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(folder), user=login, password=password, dbname="postgres")


def test_a_second_start_has_the_same_data_and_secrets(empty_checkout: Checkout) -> None:
    assert empty_checkout.finish("exec", "--", sys.executable, "-c", COUNT) == (0, "1\n1\n")
    secrets = (empty_checkout.data / "secrets.json").read_text()
    assert empty_checkout.finish("exec", "--", sys.executable, "-c", COUNT) == (0, "2\n2\n")
    assert (empty_checkout.data / "secrets.json").read_text() == secrets
    assert not empty_checkout.processes()
    assert not (empty_checkout.data / "running.json").exists()


def test_the_exit_code_is_that_of_the_command(checkout: Checkout) -> None:
    code, _ = checkout.finish("exec", "--", sys.executable, "-c", "raise SystemExit(7)", TATAMI_EPHEMERAL="1")
    assert code == 7


def test_a_second_command_uses_the_running_servers_without_the_superuser(checkout: Checkout) -> None:
    with checkout.servers() as first:
        code, output = checkout.finish(
            "exec", "--", sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"
        )
        joined = json.loads(output)
    assert code == 0
    assert joined["DATABASE_URL"] == first["DATABASE_URL"]
    assert joined["JWT_SECRET"] == first["JWT_SECRET"]
    assert "ADMIN_DATABASE_URL" not in joined


def test_two_test_runs_in_one_checkout_have_their_own_servers(checkout: Checkout) -> None:
    with (
        checkout.servers(TATAMI_EPHEMERAL="1") as first,
        checkout.servers(TATAMI_EPHEMERAL="1") as second,
    ):
        assert first["TATAMI_DATA"] != second["TATAMI_DATA"]
        assert first["DATABASE_URL"] != second["DATABASE_URL"]


def test_damaged_data_is_reported_with_the_end_of_the_servers_log(checkout: Checkout) -> None:
    assert checkout.finish("exec", "--", "true")[0] == 0
    (checkout.data / "postgres" / "PG_VERSION").write_text("9.6\n")
    code, output = checkout.finish("exec", "--", "true")
    assert code == 1
    assert "tatami: PostgreSQL did not start" in output
    assert "incompatible with server" in output
    assert "Traceback" not in output
    assert not checkout.processes()


def test_a_database_url_without_the_owners_is_refused(empty_checkout: Checkout) -> None:
    code, output = empty_checkout.finish(
        "exec", "--", "true", DATABASE_URL="postgresql://app@localhost/tatami"
    )
    assert (code, "belong together" in output) == (1, True)


def test_external_servers_are_used_and_none_is_started(empty_checkout: Checkout) -> None:
    external = {
        "DATABASE_URL": "postgresql://app@localhost/dojos",
        "OWNER_DATABASE_URL": "postgresql://owner@localhost/dojos",
        "REDIS_URL": "redis://localhost:6379/3",
    }
    with empty_checkout.servers(**external) as environment:
        assert external.items() <= environment.items()
        assert environment["CELERY_BROKER_URL"] == external["REDIS_URL"]
        assert "ADMIN_DATABASE_URL" not in environment
        assert empty_checkout.record()["children"] == []


def test_the_broker_url_of_a_socket_has_the_scheme_of_kombu() -> None:
    assert broker_url("unix:///tmp/t/v.sock?db=0") == "redis+socket:///tmp/t/v.sock?virtual_host=0"
    assert broker_url("redis://localhost:6379/3") == "redis://localhost:6379/3"


def test_a_process_with_a_reused_pid_is_not_stopped() -> None:
    assert RecordedProcess("web", os.getpid(), created=1.0).processes() == []


def test_a_user_cannot_reach_a_path_below_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        folder.chmod(0o755)  # whatever the umask
    stranger = UnprivilegedUser(uid=65_533, gid=65_533)
    assert is_reachable(inner, stranger) == is_reachable(tmp_path, stranger)
    inner.parent.chmod(0o700)
    assert not is_reachable(inner, stranger)


def test_postgresql_restarts_although_a_backend_is_busy(tmp_path: Path) -> None:
    """A busy backend does not notice that its postmaster was killed, and prevents the next one from starting."""
    with (
        locked_data_folder(tmp_path / "data") as data_folder,
        run_postgres(data_folder, durable=False) as (child, conninfo),
    ):

        def be_busy() -> None:
            with suppress(psycopg.OperationalError), psycopg.connect(conninfo) as connection:
                connection.execute("DO $$ BEGIN LOOP END LOOP; END $$")

        busy = threading.Thread(target=be_busy)
        busy.start()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            at_work = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
            assert eventually(lambda: connection.execute(at_work).fetchone() is not None)
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
        child.start()

        def answers() -> bool:
            with suppress(psycopg.OperationalError), psycopg.connect(conninfo):
                return True
            return False

        assert eventually(answers)
        assert child.is_alive()
        busy.join()


class Alive:
    """A server whose process runs."""

    def __init__(self, log: Path) -> None:
        self.program = Program(name="postgres", command=[], environment={}, folder=log.parent, log=log)

    def is_alive(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("refusal", "minutes", "is_ready"),
    [
        ("FATAL:  the database system is starting up", 25, True),
        ("FATAL:  the database system is not yet accepting connections", 25, True),
        ("FATAL:  the database system is starting up", 31, False),
        ("No such file or directory", 2, False),
        ('FATAL:  password authentication failed for user "postgres"', 0, False),
    ],
)
def test_a_server_that_recovers_is_waited_for(
    refusal: str, minutes: int, is_ready: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "postgres.log"
    log.touch()
    answers = iter([psycopg.OperationalError(refusal), None])
    instants = iter([0.0, minutes * 60.0])

    def connect(_: str) -> Any:
        if error := next(answers):
            raise error
        return nullcontext()

    monkeypatch.setattr(postgres.psycopg, "connect", connect)
    monkeypatch.setattr(postgres.time, "monotonic", lambda: next(instants))
    with nullcontext() if is_ready else pytest.raises(ServerDidNotStart, match="PostgreSQL did not start"):
        postgres._wait_until_ready(Alive(log), "")
