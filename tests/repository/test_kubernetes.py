"""The manifests in deploy/kubernetes match the schemas of Kubernetes, the image and the secrets."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from deploy.make_secrets import write_missing
from tests.repository.test_deployment_files import (
    GUIDES,
    OF_LOGINS,
    ROOM_FOR_OTHERS,
    connections_of_one_dojo,
    our_program,
    pooler_setting,
    processes_of,
    variables_that_the_code_reads,
)

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
MANIFESTS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "kustomization")
KUBERNETES = "1.29"
"""The oldest version that the manifests are for."""
ALWAYS_RUNNING = {"web", "worker", "pgbouncer"}
"""What has several replicas, of which one must stay while a node is drained."""


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def objects() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all objects by kind and name."""
    return {
        (document["kind"], document["metadata"]["name"]): document
        for path in MANIFESTS
        for document in documents(path)
    }


def pods() -> dict[str, dict[str, Any]]:
    """Return the specification of the pods of each workload, by its name."""
    found = {}
    for (kind, name), document in objects().items():
        if kind in {"Deployment", "Job"}:
            found[name] = document["spec"]["template"]["spec"]
        elif kind == "CronJob":
            found[name] = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert set(found) == {"web", "worker", "beat", "migrate", "pgbouncer", "valkey", "backup"}
    return found


def settings() -> dict[str, str]:
    lines = (FOLDER / "settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


every_pod = pytest.mark.parametrize("name", sorted(pods()))


def container_of(name: str) -> dict[str, Any]:
    (container,) = pods()[name]["containers"]
    return dict(container)


# --- schemas ---


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.stem))
def test_manifests_match_the_schemas_of_kubernetes(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_the_schemas_refuse_an_unknown_field() -> None:
    (deployment, *_) = documents(FOLDER / "web.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES, strict=True)


def test_the_kustomization_names_every_manifest() -> None:
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]
    renamed = {image["name"] for image in kustomization["images"]}
    assert renamed == {container_of(name)["image"] for name in pods()} - {"valkey/valkey:9"}


def test_kubectl_renders_what_the_schemas_accept() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))
    assert len(rendered) == len(objects()) + 1, "and the settings"
    for document in rendered:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        assert document["metadata"]["namespace"] == "tatami"


# --- what Pod Security calls `restricted`, and more ---


@every_pod
def test_containers_are_confined(name: str) -> None:
    pod = pods()[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container_of(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@every_pod
def test_containers_have_requests_and_limits(name: str) -> None:
    resources = container_of(name)["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert "memory" in resources["limits"]


def test_what_keeps_running_has_probes() -> None:
    for name in ("web", "pgbouncer", "valkey"):
        assert {"livenessProbe", "readinessProbe"} <= set(container_of(name))
    for name in ("worker", "beat"):
        assert "livenessProbe" in container_of(name)
    web = container_of("web")
    paths = {probe: web[probe]["httpGet"]["path"] for probe in web if probe.endswith("Probe")}
    # An outage of Valkey must not take away pods that serve without it.
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/healthz", "livenessProbe": "/healthz"}


def test_a_replica_stays_while_nodes_are_drained() -> None:
    for name in ALWAYS_RUNNING:
        budget = objects()["PodDisruptionBudget", name]["spec"]
        deployment = objects()["Deployment", name]["spec"]
        assert deployment["replicas"] > 1
        assert budget["selector"] == deployment["selector"]
    assert objects()["Deployment", "beat"]["spec"]["replicas"] == 1
    assert objects()["Deployment", "beat"]["spec"]["strategy"] == {"type": "Recreate"}


def variable_of(name: str, variable: str) -> str:
    (found,) = [one["value"] for one in container_of(name)["env"] if one["name"] == variable]
    return str(found)


def test_one_dojo_cannot_take_all_connections_of_a_pooler() -> None:
    """Also if all processes are connected to the same replica of the pooler, while a rollout has one more web pod."""
    web, worker = (objects()["Deployment", name]["spec"] for name in ("web", "worker"))
    assert web["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pool, connections = pooler_setting("default_pool_size"), int(variable_of("web", "TATAMI_WEB_CONNECTIONS"))
    processes, workers = web["replicas"] * processes_of("web"), worker["replicas"] * processes_of("worker")
    one_dojo = connections_of_one_dojo(processes, connections, workers)
    assert pool > one_dojo + ROOM_FOR_OTHERS * processes
    assert pool > one_dojo + processes_of("web") * (connections // 2)


def test_more_requests_run_at_once_where_postgresql_is_on_another_machine() -> None:
    assert 2 <= int(variable_of("web", "TATAMI_WEB_RUNNING")) <= 4


# --- agreement with the image, the settings and the secrets ---


def test_programs_run_as_in_make_run(tmp_path: Path) -> None:
    for name in ("worker", "beat"):
        ours = [word.replace(str(tmp_path), "/data") for word in our_program(name, tmp_path)]
        assert container_of(name)["command"] == ["python", *ours]
    assert "command" not in container_of("web"), "that of the image"
    assert container_of("migrate")["command"] == ["sh", "deploy/init.sh"]


def test_every_variable_is_read_by_the_code() -> None:
    known = variables_that_the_code_reads() | OF_LOGINS
    assert set(settings()) <= known
    for name in pods():
        assert {variable["name"] for variable in container_of(name).get("env", [])} <= known, name


@every_pod
def test_secrets_are_files_and_each_pod_gets_its_own(name: str, tmp_path: Path) -> None:
    write_missing(tmp_path)
    pod, container = pods()[name], container_of(name)
    items = {
        item["path"]
        for volume in pod["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
        if item["key"] == item["path"]
    }
    assert items <= {path.name for path in tmp_path.iterdir()}
    variables = {one["name"]: one["value"] for one in container.get("env", [])}
    read = {Path(value).name for variable, value in variables.items() if variable.endswith("_FILE")}
    assert items == ({"pgbouncer_userlist"} if name == "pgbouncer" else read)
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
    if items:
        assert mounts["secrets"]["mountPath"] == "/run/secrets"
        assert mounts["secrets"]["readOnly"] is True
    assert ("owner_database_url" in items) == (name in {"web", "worker", "migrate", "backup"})
    assert ("postgres_password" in items) == (name == "migrate")


def test_names_in_the_secrets_are_services(tmp_path: Path) -> None:
    write_missing(tmp_path)
    urls = [(tmp_path / name).read_text() for name in ("database_url", "owner_database_url")]
    for url in (*urls, settings()["REDIS_URL"]):
        assert ("Service", urlsplit(url).hostname) in objects()


def test_selectors_find_their_pods() -> None:
    labels = {
        name: document["spec"]["template"]["metadata"]["labels"]
        for (kind, name), document in objects().items()
        if kind == "Deployment"
    }
    for (kind, name), document in objects().items():
        selector = document["spec"].get("selector", document["spec"].get("podSelector"))
        if kind in {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"} and selector:
            wanted = selector.get("matchLabels", selector)
            assert wanted.items() <= labels[name].items(), (kind, name)


def relabelled(labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, str] | None:
    """Return the labels of a target after the relabelling of Prometheus; `None` if it is dropped."""
    for rule in rules:
        value = ";".join(labels.get(name, "") for name in rule["source_labels"])
        matches = re.fullmatch(rule.get("regex", "(.*)"), value)
        if (rule.get("action") == "keep" and not matches) or (rule.get("action") == "drop" and matches):
            return None
        if "target_label" in rule:
            assert matches
            replaced = rule.get("replacement", "$1").replace("$1", matches[1])
            labels = {**labels, rule["target_label"]: replaced}
    return labels


def test_prometheus_scrapes_web_and_worker_as_the_jobs_that_the_alerts_name() -> None:
    (job,) = yaml.safe_load((FOLDER.parent / "prometheus" / "kubernetes.yml").read_text())["scrape_configs"]
    found = set()
    for (kind, name), document in objects().items():
        if kind != "Deployment":
            continue
        for port in container_of(name).get("ports", []):
            labels = {
                "__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", label): value
                for label, value in document["spec"]["template"]["metadata"]["labels"].items()
            }
            labels["__meta_kubernetes_pod_container_port_name"] = port["name"]
            labels["__meta_kubernetes_pod_name"] = f"{name}-0"
            labels["__meta_kubernetes_pod_phase"] = "Running"
            target = relabelled(labels, job["relabel_configs"])
            if target:
                found.add((target["job"], port["containerPort"]))
            labels["__meta_kubernetes_pod_phase"] = "Succeeded"
            assert relabelled(labels, job["relabel_configs"]) is None
    assert found == {("tatami-web", 9464), ("tatami-worker", 9464)}


def test_the_guides_name_objects_that_exist() -> None:
    kinds = {"deployment": "Deployment", "job": "Job", "cronjob": "CronJob"}
    guides = "".join((FOLDER.parents[1] / page).read_text(encoding="utf-8") for page in GUIDES)
    named = set(re.findall(r"kubectl [^`\n#]*?\b(deployment|job|cronjob)[/ ](?!--)([a-z-]+)", guides))
    named |= set(re.findall(r"\b(deployment|job|cronjob)/([a-z-]+)", guides))
    named.discard(("job", "backup-first"))  # which the command creates
    assert len(named) > 3
    assert {(kinds[kind], name) for kind, name in named} <= objects().keys()
    files = set(re.findall(r"deploy/kubernetes/([\w-]+\.yaml)", guides))
    assert files <= {path.name for path in MANIFESTS}


def test_the_ingress_leads_the_platform_and_all_subdomains_to_web() -> None:
    ingress = objects()["Ingress", "web"]["spec"]
    base = settings()["TATAMI_BASE_DOMAIN"]
    assert [rule["host"] for rule in ingress["rules"]] == [base, f"*.{base}"] == ingress["tls"][0]["hosts"]
    (port,) = objects()["Service", "web"]["spec"]["ports"]
    for rule in ingress["rules"]:
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/", "Prefix")
        assert path["backend"]["service"] == {"name": "web", "port": {"name": port["name"]}}


def test_what_is_prepared_first_includes_all_that_the_migrations_need() -> None:
    """`kubectl apply --selector tatami-step=prepare` comes before the rest."""
    first = {
        key for key, one in objects().items() if one["metadata"]["labels"].get("tatami-step") == "prepare"
    }
    assert first >= {
        ("Job", "migrate"),
        ("Service", "db"),
        ("Deployment", "pgbouncer"),
        ("Service", "pgbouncer"),
    }
    assert not first & {("Deployment", "web"), ("Deployment", "worker"), ("Deployment", "beat")}
