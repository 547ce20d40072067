"""Files in deploy/ are read by the programs they are for, or checked against their schemas. No container is started.

Kubernetes' manifests: test_kubernetes.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from django.urls import get_resolver
from prometheus_client import REGISTRY
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.backups import LastBackupCollector
from deploy.make_secrets import write_missing
from tatami.embedded.unprivileged_user import USER_NAME
from tatami.metrics import BrokerCollector, FleetCollector, OverdueJobsCollector
from tests.repository.test_deployment_files import pooler_setting
from tests.support.live_server import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
READY_WITHIN_SECONDS = 30.0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)


# --- Compose -------------------------------------------------------------------------------------------------------


def test_compose_files_match_the_schema_of_compose() -> None:
    done = run(
        sys.executable,
        *("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
        ROOT / "docker-compose.yml",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_refuses_what_compose_refuses(tmp_path: Path) -> None:
    wrong = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").replace("healthcheck:", "healthchek:")
    (tmp_path / "docker-compose.yml").write_text(wrong, encoding="utf-8")
    arguments = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    assert run(sys.executable, *arguments, tmp_path / "docker-compose.yml").returncode == 1


def test_compose_itself_accepts_the_file() -> None:
    docker = program("docker")
    if run(docker, "compose", "version").returncode:
        pytest.skip("docker compose is not installed")
    done = run(docker, "compose", "--profile", "monitoring", "config", "--quiet", cwd=ROOT)
    assert done.returncode == 0, done.stderr


# --- Caddy ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with a certificate and its key, as an operator has one."""
    subject = ["-subj", "/CN=dojos.example.org", "-addext", "subjectAltName=DNS:*.dojos.example.org"]
    files = ["-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"]
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("mode", ["on_demand", "files", "internal"])
def test_caddy_accepts_its_file(mode: str, certificates: Path) -> None:
    variables = {
        "TATAMI_BASE_DOMAIN": "dojos.example.org",
        "TATAMI_CERTIFICATES": mode,
        "TATAMI_CERTIFICATES_FOLDER": str(certificates),
        "XDG_DATA_HOME": str(certificates),
        "XDG_CONFIG_HOME": str(certificates),
    }
    options = ["--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"]
    environment = {**os.environ, **variables}
    done = run(program("caddy"), "validate", *options, env=environment)
    assert done.returncode == 0, done.stderr
    adapted = json.loads(run(program("caddy"), "adapt", *options, env=environment).stdout)
    policies = adapted["apps"]["tls"]["automation"]["policies"]
    # The custom domains, which no policy names, are always on demand, and Caddy asks before it obtains a certificate.
    (custom,) = [policy for policy in policies if "subjects" not in policy]
    assert custom["on_demand"] is True
    asked: str = adapted["apps"]["tls"]["automation"]["on_demand"]["ask"]
    assert asked.endswith("/tls/domain")


# --- PgBouncer -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pooler(tmp_path: Path, database_name: str, django_db_setup: None) -> Iterator[str]:
    """PgBouncer with deploy/pgbouncer.ini on the server of the tests; yields the conninfo of the app login.

    Only what differs between machines is replaced: addresses, and the file of logins that make_secrets.py writes.
    """
    pgbouncer = program("pgbouncer")
    server = conninfo_to_dict(os.environ["ADMIN_DATABASE_URL"])
    login = conninfo_to_dict(os.environ["DATABASE_URL"])
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    url = f"postgresql://{login['user']}:{login['password']}@pgbouncer:6432/tatami\n"
    (secrets / "database_url").write_text(url, encoding="utf-8")
    write_missing(secrets)
    port = free_port()
    text = (DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8")
    for old, new in {
        "host=db port=5432": f"host={server['host']} port={server.get('port', 5432)}",
        "dbname=tatami": f"dbname={database_name}",
        "listen_addr = 0.0.0.0": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}",
        "/run/secrets/pgbouncer_userlist": str(secrets / "pgbouncer_userlist"),
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    version = re.search(r"PgBouncer (\d+)\.(\d+)", run(pgbouncer, "--version").stdout)
    assert version is not None
    if (int(version[1]), int(version[2])) < (1, 21):  # Debian 12 has one that does not know this line
        text = re.sub(r"^max_prepared_statements.*\n", "", text, flags=re.MULTILINE)
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(text, encoding="utf-8")
    command = [pgbouncer, str(configuration)]
    if os.geteuid() == 0:  # it refuses to run as root
        secrets.chmod(0o755)
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        command[1:1] = ["--user", USER_NAME]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, stderr=log)
    try:
        conninfo = make_conninfo(host="127.0.0.1", port=port, dbname="tatami", user=str(login["user"]))
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while "process up" not in (tmp_path / "log").read_text():
            assert running.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not re.search(r"WARNING|ERROR|FATAL", (tmp_path / "log").read_text())
        yield make_conninfo(conninfo, password=str(login["password"]))
    finally:
        running.terminate()
        running.wait(15)


def password_of_statistics(folder: Path) -> str:
    return (folder / "secrets" / "pgbouncer_stats_password").read_text(encoding="utf-8").strip()


def test_a_login_of_its_own_sees_the_waits_in_the_pooler_and_changes_nothing(
    pooler: str, tmp_path: Path
) -> None:
    named = {"dbname": "pgbouncer", "user": "tatami_stats", "password": password_of_statistics(tmp_path)}
    clients = [psycopg.connect(pooler, autocommit=True, prepare_threshold=None) for _ in range(3)]
    with closing(psycopg.connect(make_conninfo(pooler, **named), autocommit=True)) as console:
        found = console.execute("SHOW POOLS")
        assert found.description
        columns = [column.name for column in found.description]
        (row,) = [one for one in found if one[0] == "tatami"]
        pool = dict(zip(columns, row, strict=True))
        assert int(pool["cl_active"]) + int(pool["cl_waiting"]) == len(clients)
        assert {"cl_waiting", "sv_active", "sv_idle", "maxwait"} <= pool.keys(), "named in operations.md"
        for command in ("PAUSE", "SHUTDOWN", "KILL tatami", "RELOAD", "SET default_pool_size = 1"):
            with pytest.raises(psycopg.Error):
                console.execute(command)
    for client in clients:
        assert client.execute("SELECT 1").fetchone() == (1,)
        client.close()


def test_pgbouncer_serves_the_app_login_and_no_other(pooler: str, database_name: str, tmp_path: Path) -> None:
    with closing(psycopg.connect(pooler, autocommit=True, prepare_threshold=None)) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == (conninfo_to_dict(pooler)["user"], database_name)
    statistics = {"user": "tatami_stats", "password": password_of_statistics(tmp_path)}
    for wrong in (
        {"password": "another"},
        {"user": "tatami_owner", "password": conninfo_to_dict(os.environ["OWNER_DATABASE_URL"])["password"]},
        {"dbname": "postgres"},
        {"dbname": "pgbouncer"},
        statistics,  # the server has no such login
        {**statistics, "dbname": "pgbouncer", "password": "another"},
    ):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(make_conninfo(pooler, **wrong)).close()


def test_the_pooler_gives_connections_back_after_each_transaction(pooler: str) -> None:
    """More clients than server connections, each in the middle of its session."""
    size = pooler_setting("default_pool_size")
    clients = [psycopg.connect(pooler, autocommit=True, prepare_threshold=None) for _ in range(size + 20)]
    try:
        backends = set()
        for client in clients:
            row = client.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            backends.add(row[0])
        assert 1 <= len(backends) <= size
    finally:
        for client in clients:
            client.close()


# --- Prometheus and Grafana ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "tatami.json").read_text())
    return loaded


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def exposed_metrics() -> dict[str, set[str]]:
    """Return the metrics that web, worker and backup expose: their names, and the names of their series."""
    get_resolver("config.urls_tenant").url_patterns  # noqa: B018 - imports what counts
    import_module("config.celery").app.loader.import_default_modules()
    collectors = (OverdueJobsCollector(), FleetCollector(), BrokerCollector(), LastBackupCollector(Path()))
    described = (family for collector in collectors for family in collector.describe())
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        family.name: {family.name + suffix for suffix in suffixes.get(family.type, [""])}
        for family in (*REGISTRY.collect(), *described)
        if family.name.startswith("tatami_")
    }


def test_promtool_accepts_the_configuration_of_prometheus() -> None:
    promtool = program("promtool")
    done = run(promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["prometheus.yml", "kubernetes.yml"])
def test_promtool_accepts_the_parts_that_are_comments_or_of_kubernetes(name: str, tmp_path: Path) -> None:
    """The alerting block without its #. Debian's promtool knows no Kubernetes: it reads all but that list of pods."""
    text = (DEPLOY / "prometheus" / name).read_text()
    text, number = re.subn(r"^# (alerting:|  )", r"\1", text, flags=re.MULTILINE)
    assert number == (4 if name == "prometheus.yml" else 0)
    configuration = yaml.safe_load(text)
    for job in configuration["scrape_configs"]:
        if job.pop("kubernetes_sd_configs", None):
            job["static_configs"] = [{"targets": ["127.0.0.1:9464"]}]
    shutil.copy(DEPLOY / "prometheus" / "alerts.yml", tmp_path)
    (tmp_path / name).write_text(yaml.safe_dump(configuration))
    done = run(program("promtool"), "check", "config", tmp_path / name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_name_the_jobs_that_are_scraped() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    named = set(re.findall(r'up\{job=~?"([^"]+)"\}', (DEPLOY / "prometheus" / "alerts.yml").read_text()))
    assert named == {"tatami-web", "tatami-worker", "tatami-(web|worker)"}
    assert {"tatami-web", "tatami-worker"} < {job["job_name"] for job in jobs}


def test_prometheus_scrapes_the_services_at_their_metrics_port() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    scraped = {
        (name, str(config["port"]))
        for job in jobs
        for config in job.get("dns_sd_configs", [])
        for name in config["names"]
    }
    exposed = {
        (name, service["environment"]["TATAMI_METRICS_PORT"])
        for name, service in compose["services"].items()
        if "TATAMI_METRICS_PORT" in service.get("environment", {})
    }
    assert scraped == exposed == {(name, "9464") for name in ("web", "worker", "backup")}
    for job in jobs:
        if "dns_sd_configs" in job:
            assert [f"tatami-{name}" for name in job["dns_sd_configs"][0]["names"]] == [job["job_name"]]


def test_the_dashboard_uses_metrics_that_exist(dashboard: dict[str, Any]) -> None:
    used = {name for text in expressions(dashboard) for name in re.findall(r"\b(?:tatami_\w+|up)\b", text)}
    exposed = exposed_metrics()
    assert used <= {"up"}.union(*exposed.values())
    assert {name for name, series in exposed.items() if not series & used} == set(), "each has a panel"


def test_prometheus_can_read_the_expressions_of_the_dashboard(
    dashboard: dict[str, Any], tmp_path: Path
) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(expressions(dashboard))
    ]
    assert not [rule for rule in rules if "$" in rule["expr"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = run(program("promtool"), "check", "rules", tmp_path / "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_the_structure_of_grafana(dashboard: dict[str, Any]) -> None:
    assert {"uid", "title", "schemaVersion", "panels", "time", "templating"} <= dashboard.keys()
    (source,) = yaml.safe_load((DEPLOY / "grafana" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["description"]
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert [target["datasource"] for target in panel["targets"]] == [panel["datasource"]] * len(
            panel["targets"]
        )
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = any(
            first[axis] + first[size] <= second[axis]
            for first, second in ((one, other), (other, one))
            for axis, size in (("x", "w"), ("y", "h"))
        )
        assert apart, (one, other)


def test_grafana_finds_datasource_and_dashboards_where_compose_mounts_them() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    (provider,) = yaml.safe_load((DEPLOY / "grafana" / "dashboards" / "provider.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == mounted["./deploy/grafana"] + "/dashboards"
    (source,) = yaml.safe_load((DEPLOY / "grafana" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
