"""Dockerfile and docker-compose.yml agree with the code, as far as this shows without running them."""

import configparser
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from django.core.management import get_commands
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg.conninfo import conninfo_to_dict

from deploy.make_secrets import write_missing
from tatami.embedded.logins import drop_database
from tatami.embedded.programs import ApplicationPrograms

ROOT = Path(__file__).resolve().parents[2]
OUR_SERVICES = {"init", "web", "worker", "beat", "backup"}
IMAGES = {
    "db": "postgres:18",
    "valkey": "valkey/valkey:9",
    "pgbouncer": "tatami-pgbouncer:local",
    "proxy": "caddy:2.10",
    "prometheus": "prom/prometheus:v3.5.0",
    "grafana": "grafana/grafana:12.0.2",
}
READ_BY_PATH = {"pgbouncer": {"pgbouncer_userlist"}}
"""Secrets whose path is in a configuration file instead of a variable."""
OF_LOGINS = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"}
"""What deploy/logins.py reads besides the two URLs."""
GUIDES = ("docs/operations.md", "docs/how-to/operate.md", "docs/how-to/scale.md")
READ_FROM_FILE = re.compile(r'(?:secret|database)\(\s*"([A-Z_]+)"')
READ_AS_IT_IS = re.compile(
    r'(?:read\("\w+",|number\(|days\(|one_of\(|networks\(|environ\.get\(|environment\.get\()\s*"([A-Z_]+)"'
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """The Dockerfile without comments, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")


def final_stage(dockerfile: str) -> str:
    return "FROM " + dockerfile.rpartition("\nFROM ")[2]


def words(command: str | list[str]) -> list[str]:
    return command.split() if isinstance(command, str) else command


def variables_that_the_code_reads() -> set[str]:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "platform").rglob("*.py"))
    secrets = set(READ_FROM_FILE.findall(code))
    return set(READ_AS_IT_IS.findall(code)) | secrets | {f"{name}_FILE" for name in secrets}


def pooler_configuration() -> configparser.ConfigParser:
    pooler = configparser.ConfigParser(interpolation=None)
    pooler.read(ROOT / "deploy" / "pgbouncer.ini")
    return pooler


def pooler_setting(name: str) -> int:
    return pooler_configuration()["pgbouncer"].getint(name)


def logins_of_the_pooler(folder: Path) -> dict[str, str]:
    """Return the passwords in PgBouncer's file of logins, by login."""
    lines = (folder / "pgbouncer_userlist").read_text().splitlines()
    return dict(shlex.split(line) for line in lines)


def processes_of(name: str) -> int:
    """Return how many processes a container of `web` or `worker` has; other tests compare its command with ours."""
    command = our_program(name, Path())
    return int(command[command.index({"web": "--workers", "worker": "--concurrency"}[name]) + 1])


def replicas_of(compose: dict[str, Any], name: str) -> int:
    (default,) = re.findall(r":-(\d+)\}$", compose["services"][name]["deploy"]["replicas"])
    return int(default)


ROOM_FOR_OTHERS = 2
"""Connections for each web process that the other dojos keep. With less, they sometimes waited too long."""


def connections_of_one_dojo(web_processes: int, web_connections: int, worker_processes: int) -> int:
    """Return how many database connections one dojo can use at a time: in requests, and for a job and its lock."""
    return web_processes * (web_connections // 2) + 2 * worker_processes


def our_program(name: str, data: Path) -> list[str]:
    """Return the arguments with which `make run` starts web, worker or beat."""
    application = ApplicationPrograms(data=data, environment={}, port=8000)
    command = list(getattr(application, name)().command[1:])
    # `-W` silences a warning of Celery to root; the image does not run as root.
    return command[2:] if command[0] == "-W" else command


def test_all_services_exist(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert images == IMAGES | dict.fromkeys(OUR_SERVICES, "tatami:local")
    monitoring = {name for name, service in compose["services"].items() if "profiles" in service}
    assert monitoring == {"prometheus", "grafana"}


def test_every_service_that_keeps_running_has_a_health_check(
    compose: dict[str, Any], dockerfile: str
) -> None:
    assert "/healthz" in final_stage(dockerfile).partition("HEALTHCHECK")[2]
    for name, service in compose["services"].items():
        test = service.get("healthcheck", {}).get("test")
        assert test or name in {"web", "init"}, name  # web has the image's; init ends by itself


def test_services_start_after_the_ones_they_need(compose: dict[str, Any]) -> None:
    healthy = {"condition": "service_healthy"}
    needed = compose["services"]
    for name in ("web", "worker", "beat", "backup"):
        assert needed[name]["depends_on"] == {
            **dict.fromkeys(("db", "pgbouncer", "valkey"), healthy),
            "init": {"condition": "service_completed_successfully"},
        }
    assert needed["init"]["depends_on"] == dict.fromkeys(("db", "pgbouncer"), healthy)
    assert needed["proxy"]["depends_on"] == {"web": healthy}


def test_every_service_has_limits_and_rotates_its_log(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"memory", "pids"} <= set(limits), name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_web_and_worker_run_several_times_and_the_scheduler_once(compose: dict[str, Any]) -> None:
    replicas = {
        name: service["deploy"]["replicas"]
        for name, service in compose["services"].items()
        if "replicas" in service["deploy"]
    }
    assert replicas == {"web": "${TATAMI_WEB_REPLICAS:-2}", "worker": "${TATAMI_WORKER_REPLICAS:-2}"}


def test_every_variable_is_read_by_the_code(compose: dict[str, Any]) -> None:
    known = variables_that_the_code_reads()
    assert {"DATABASE_URL_FILE", "JWT_SECRET_FILE", "TATAMI_WEB_CONNECTIONS", "LOG_FORMAT"} <= known
    known |= OF_LOGINS
    for name in OUR_SERVICES:
        assert set(compose["services"][name]["environment"]) <= known, name


def test_secrets_come_from_files_and_are_granted_only_where_they_are_read(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        granted = set(service.get("secrets", []))
        assert granted <= set(compose["secrets"]), name
        read = {
            Path(str(value)).name
            for variable, value in service.get("environment", {}).items()
            if variable.endswith("_FILE")
        }
        assert granted == read | READ_BY_PATH.get(name, set()), name
        assert "PASSWORD" not in {variable.rpartition("_")[2] for variable in service.get("environment", {})}
    for place in compose["secrets"].values():
        assert place["file"].startswith("deploy/secrets/")


def test_only_init_has_the_superuser_password_and_beat_has_no_database_url(
    compose: dict[str, Any],
) -> None:
    granted_to = {
        secret: {
            name for name, service in compose["services"].items() if secret in service.get("secrets", [])
        }
        for secret in compose["secrets"]
    }
    assert granted_to["postgres_password"] == {"db", "init"}
    assert granted_to["superadmin_password"] == {"init"}
    assert granted_to["owner_database_url"] == {"init", "web", "worker", "backup"}
    assert "beat" not in granted_to["database_url"]


def test_the_app_login_goes_through_the_pooler_and_the_owner_login_does_not(tmp_path: Path) -> None:
    write_missing(tmp_path)
    urls = {name: urlsplit((tmp_path / name).read_text()) for name in ("database_url", "owner_database_url")}
    pooler = pooler_configuration()
    port = pooler["pgbouncer"].getint("listen_port")
    assert (urls["database_url"].hostname, urls["database_url"].port) == ("pgbouncer", port)
    assert (urls["owner_database_url"].hostname, urls["owner_database_url"].port) == ("db", 5432)
    assert pooler["databases"]["tatami"] == "host=db port=5432 dbname=tatami"
    assert pooler["pgbouncer"]["pool_mode"] == "transaction"
    assert pooler["pgbouncer"]["auth_file"] == "/run/secrets/pgbouncer_userlist"
    assert logins_of_the_pooler(tmp_path) == {
        urls["database_url"].username: urls["database_url"].password,
        pooler["pgbouncer"]["stats_users"]: (tmp_path / "pgbouncer_stats_password").read_text().strip(),
    }
    assert "admin_users" not in pooler["pgbouncer"]


def test_one_dojo_cannot_take_all_connections_of_the_pooler(compose: dict[str, Any]) -> None:
    web = replicas_of(compose, "web") * processes_of("web")
    workers = replicas_of(compose, "worker") * processes_of("worker")
    connections = int(compose["services"]["web"]["environment"]["TATAMI_WEB_CONNECTIONS"])
    pool = pooler_setting("default_pool_size")
    assert pool > connections_of_one_dojo(web, connections, workers) + ROOM_FOR_OTHERS * web
    assert pooler_setting("max_client_conn") > 4 * (web * connections + 2 * workers), "to add containers"
    # The owner login of these processes, a backup and an operator come on top, without the pooler.
    (most,) = re.findall(r"max_connections=(\d+)", " ".join(words(compose["services"]["db"]["command"])))
    assert int(most) > pool + web * connections + 2 * workers + 10


def test_the_guides_name_the_size_of_the_pool() -> None:
    size = pooler_setting("default_pool_size")
    assert f"| `default_pool_size` | `{size}` |" in (ROOT / "docs" / "operations.md").read_text()
    assert f"up to {size} connections" in (ROOT / "deploy" / "kubernetes" / "pgbouncer.yaml").read_text()


@pytest.mark.parametrize("page", GUIDES)
def test_the_guides_name_variables_that_something_reads(page: str) -> None:
    files = [(ROOT / name).read_text(encoding="utf-8") for name in ("docker-compose.yml", "deploy/Caddyfile")]
    known = variables_that_the_code_reads() | OF_LOGINS
    known |= {name for text in files for name in re.findall(r"\{?\$\{?([A-Z][A-Z_]+)", text)}
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:TATAMI|POSTGRES)_[A-Z_]*[A-Z]\b", text))
    assert named
    assert named - known == set()


@pytest.mark.parametrize("page", GUIDES)
def test_the_guides_name_services_and_programs_that_exist(page: str, compose: dict[str, Any]) -> None:
    commands = re.findall(r"docker compose ([^`\n#&]+)", (ROOT / page).read_text(encoding="utf-8"))
    for command in commands:
        given = shlex.split(command.rstrip("\\ ").replace("…", ""))
        assert services_of(given) <= set(compose["services"]), command
    programs = re.findall(r"manage\.py ([a-z_]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert set(programs) <= set(get_commands()), page


def services_of(words: list[str]) -> set[str]:
    """Return the services in the arguments of `docker compose`."""
    action, *words = words[2:] if words[0] == "--profile" else words
    names = [
        word
        for before, word in pairwise(["", *words])
        if not word.startswith("-") and before not in {"--env", "--scale"} and "=" not in word
    ]
    return set(names[:1] if action in {"run", "exec"} else names)


def test_the_pooler_gives_up_connections_of_a_cut_network() -> None:
    names = ("tcp_keepidle", "tcp_keepintvl", "tcp_keepcnt")
    idle, interval, count = (pooler_setting(name) for name in names)
    assert pooler_setting("tcp_keepalive") == 1
    assert 0 < idle + interval * count <= 60
    assert 0 < pooler_setting("tcp_user_timeout") <= 60_000


def test_only_the_proxy_and_grafana_publish_ports_and_only_on_localhost(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert set(published) == {"proxy", "grafana"}
    assert all(port.startswith("${TATAMI_ADDRESS:-127.0.0.1}:") for port in published["proxy"])
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])
    for name in ("db", "pgbouncer", "valkey", "init", "beat", "prometheus"):
        assert compose["services"][name]["networks"] == ["backend"]
    assert compose["services"]["proxy"]["networks"] == ["edge"]
    assert compose["networks"]["backend"]["internal"] is True


def test_containers_are_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only") is True or name == "db"


def test_permanent_data_are_on_named_volumes(compose: dict[str, Any]) -> None:
    mounted = {
        name: dict(
            volume.split(":") for volume in service.get("volumes", []) if not volume.startswith("./deploy/")
        )
        for name, service in compose["services"].items()
    }
    assert mounted["db"] == {"postgres": "/var/lib/postgresql"}
    assert mounted["valkey"] == {"valkey": "/data"}
    assert mounted["web"] == mounted["worker"] == mounted["beat"] == {"data": "/data"}
    assert mounted["backup"] == {"data": "/data", "backups": "/backups"}
    assert mounted["proxy"] == {"certificates": "/data"}
    assert {volume for one in mounted.values() for volume in one} == set(compose["volumes"])


def test_mounted_files_are_in_the_repository_and_cannot_be_written(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                path, _, mode = volume.split(":")
                assert mode == "ro"
                assert (ROOT / path).exists() or path == "./deploy/certificates", "yours, if you have them"


def test_only_the_web_service_keeps_connections_open(compose: dict[str, Any]) -> None:
    services = compose["services"]
    keeping = [name for name in OUR_SERVICES if "TATAMI_WEB_CONNECTIONS" in services[name]["environment"]]
    assert keeping == ["web"]


def test_worker_and_beat_run_as_in_make_run(compose: dict[str, Any], tmp_path: Path) -> None:
    for name in ("worker", "beat"):
        command = words(compose["services"][name]["command"])
        assert command[0] == "python"
        ours = [word.replace(str(tmp_path), "/data") for word in our_program(name, tmp_path)]
        assert command[1:] == ours


def test_web_runs_as_in_make_run(dockerfile: str, tmp_path: Path) -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", final_stage(dockerfile), re.MULTILINE)
    everywhere = {"127.0.0.1": "0.0.0.0"}  # noqa: S104
    ours = [everywhere.get(word, word) for word in our_program("web", tmp_path)]
    assert yaml.safe_load(command) == ["python", *ours]


def test_the_image_is_built_from_the_lock_and_does_not_run_as_root(dockerfile: str) -> None:
    (installs,) = re.findall(r"^RUN .*pip install.*$", dockerfile, re.MULTILINE)
    assert "--require-hashes" in installs
    assert "--only-binary :all:" in installs
    assert "requirements-dev" not in dockerfile
    assert dockerfile.count("\nFROM ") + dockerfile.startswith("FROM ") == 3
    final = final_stage(dockerfile)
    for compiler in ("apt-get", "gcc", "build-essential"):
        assert compiler not in final
    # A number: Kubernetes refuses a name under `runAsNonRoot`.
    (user,) = re.findall(r"^USER (\d+):\d+$", final, re.MULTILINE)
    assert int(user) > 0
    assert "PYTHONPATH=/app:/app/platform" in final


def test_every_line_of_the_lock_has_a_hash_and_no_index_url() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE).strip())
        assert len(entries) > 30
        assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith(" "))
        assert "://" not in lock
        assert "--index" not in lock


def test_the_lock_has_every_named_requirement() -> None:
    for name in ("requirements", "requirements-dev"):
        lock = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        locked = {
            canonicalize_name(found)
            for found in re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==", lock, re.MULTILINE)
        }
        for line in (ROOT / f"{name}.in").read_text(encoding="utf-8").split("\n"):
            if line and line[0].isalpha():
                assert canonicalize_name(Requirement(line).name) in locked, (
                    f"run `make lock`: {line} is not in {name}.txt"
                )


def test_the_build_context_has_the_copied_files_and_no_secrets(dockerfile: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    copied = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert f"!{path}" in ignore
    for folder in ("secrets", "certificates"):
        assert f"deploy/{folder}" in ignore
        assert f"{folder}/" in (ROOT / "deploy" / ".gitignore").read_text(encoding="utf-8")


def test_platform_is_a_source_root_and_not_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_secrets_are_created_once_and_have_our_login_names(tmp_path: Path, compose: dict[str, Any]) -> None:
    script = shutil.copy(ROOT / "deploy" / "make_secrets.py", tmp_path)
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    first = {path.name: path.read_text() for path in folder.iterdir()}
    # No container reads the second one: its content is in pgbouncer_userlist.
    assert set(first) == set(compose["secrets"]) | {"pgbouncer_stats_password"}
    assert len(first["jwt_secret"]) > 32
    assert conninfo_to_dict(first["database_url"].strip())["user"] == "tatami_app"
    assert conninfo_to_dict(first["owner_database_url"].strip())["user"] == "tatami_owner"
    # What is missing after an upgrade is written, and fits what exists.
    (folder / "pgbouncer_userlist").unlink()
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_the_pooler_gets_the_login_of_a_url_that_was_there_before(tmp_path: Path) -> None:
    """PgBouncer reads a quotation mark in a password as two."""
    (tmp_path / "database_url").write_text("postgresql://tatami_app:a%22b%5C%20%25c@db:5432/tatami\n")
    (tmp_path / "pgbouncer_stats_password").write_text("s\n")
    write_missing(tmp_path)
    lines = (tmp_path / "pgbouncer_userlist").read_text()
    assert lines == '"tatami_app" "a""b\\ %c"\n"tatami_stats" "s"\n'


@pytest.mark.parametrize("changed", ["database_url", "pgbouncer_stats_password"])
def test_the_pooler_gets_a_password_that_was_changed(tmp_path: Path, changed: str) -> None:
    write_missing(tmp_path)
    assert write_missing(tmp_path) == []
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    path = tmp_path / changed
    new = "postgresql://tatami_app:another@pgbouncer:6432/tatami" if changed == "database_url" else "another"
    path.write_text(new + "\n")  # as you do
    (tmp_path / ".pgbouncer_userlist.new").touch(mode=0o444)  # a run that was killed has left it
    assert write_missing(tmp_path) == ["pgbouncer_userlist"]
    assert write_missing(tmp_path) == []
    assert "another" in logins_of_the_pooler(tmp_path).values()
    assert stat.S_IMODE((tmp_path / "pgbouncer_userlist").stat().st_mode) == 0o644
    after = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {name for name in before if after.pop(name) != before[name]} == {changed, "pgbouncer_userlist"}
    assert not after, "nothing else is left"


def test_init_creates_the_logins_and_their_database(tmp_path: Path, worker_id: str) -> None:
    admin = os.environ["ADMIN_DATABASE_URL"]
    database = f"test_deploy_{worker_id}"
    # The passwords are those of the running tests, because logins belong to the whole server.
    urls = {name: os.environ[name] for name in ("DATABASE_URL", "OWNER_DATABASE_URL")}
    values = {
        f"{name}_FILE": urlsplit(url)._replace(path=f"/{database}").geturl() for name, url in urls.items()
    }
    superuser = conninfo_to_dict(admin)
    values["POSTGRES_PASSWORD_FILE"] = str(superuser["password"])
    environment = {**os.environ, "POSTGRES_USER": str(superuser["user"])}
    for number, (variable, text) in enumerate(values.items()):
        environment[variable] = str(tmp_path / str(number))
        (tmp_path / str(number)).write_text(text + "\n", encoding="utf-8")
    try:
        for _ in range(2):
            subprocess.run([sys.executable, ROOT / "deploy" / "logins.py"], env=environment, check=True)
        with psycopg.connect(values["DATABASE_URL_FILE"]) as connection:
            assert connection.info.user == "tatami_app"
            assert connection.info.dbname == database
    finally:
        drop_database(admin, database)


@pytest.fixture
def for_logins(tmp_path: Path) -> dict[str, str]:
    """Variables with which deploy/logins.py finds no server: nothing listens on this port."""
    (tmp_path / "password").write_text("secret\n")
    return {
        "DATABASE_URL": "postgresql://tatami_app:a@127.0.0.1:1/tatami",
        "OWNER_DATABASE_URL": "postgresql://tatami_owner:b@127.0.0.1:1/tatami",
        "POSTGRES_PASSWORD_FILE": str(tmp_path / "password"),
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "PATH": os.environ["PATH"],
    }


def run_logins(variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "deploy" / "logins.py"]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["DATABASE_URL", "OWNER_DATABASE_URL", "POSTGRES_PASSWORD_FILE"])
def test_the_program_for_logins_names_the_variable_that_is_missing_or_cannot_be_read(
    for_logins: dict[str, str], name: str, tmp_path: Path
) -> None:
    missing = run_logins({one: value for one, value in for_logins.items() if one != name})
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"Set {name.removesuffix('_FILE')}, or ")
    unreadable = run_logins(
        {**for_logins, f"{name.removesuffix('_FILE')}_FILE": str(tmp_path / "no such file")}
    )
    assert unreadable.returncode == 1
    assert unreadable.stderr.startswith(f"{name.removesuffix('_FILE')}_FILE: ")
    assert "Traceback" not in missing.stderr + unreadable.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "postgresql://someone:a@127.0.0.1:1/tatami", "tatami_app"),
        ("OWNER_DATABASE_URL", "postgresql://tatami_owner:b@127.0.0.1:1/another", "same database"),
        ("DATABASE_URL", "postgresql://tatami_app@127.0.0.1:1/tatami", "password"),
        ("OWNER_DATABASE_URL", "postgresql://tatami_owner:b@127.0.0.1:1", "database"),
        ("OWNER_DATABASE_URL", "no url", "OWNER_DATABASE_URL"),
        ("POSTGRES_USER", "root", "127.0.0.1"),  # the server, which is not there
    ],
)
def test_the_program_for_logins_says_what_is_wrong(
    for_logins: dict[str, str], name: str, value: str, message: str
) -> None:
    done = run_logins({**for_logins, name: value})
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    for secret in (":a@", ":b@", "secret"):
        assert secret not in done.stderr
