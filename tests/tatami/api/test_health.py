"""`/healthz` and `/readyz`."""

import threading
from typing import Any

import pytest
from django.test import Client

from tatami.api import health
from tatami.postgresql.shared_calls import ABANDONED_SECONDS, SharedCall
from tests.tatami.api.conftest import error_of


@pytest.mark.parametrize("host", ["testserver", "no.such.dojo", "not a host", "[", "%00", ""])
def test_healthz_responds_on_any_host(anonymous: Client, host: str) -> None:
    response = anonymous.get("/healthz", headers={"Host": host})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_names_the_dependency_that_is_down(anonymous: Client, site: Any) -> None:
    site.REDIS_URL = "redis://127.0.0.1:1/0"
    response = anonymous.get("/readyz")
    assert error_of(response) == (503, "service_unavailable")
    assert response.headers["Retry-After"] == "5"
    assert response.json()["error"]["details"] == {"down": ["valkey"]}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_other_methods_than_get_are_refused(anonymous: Client, path: str) -> None:
    response = anonymous.post(path)
    assert error_of(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.django_db
def test_readyz_recovers_although_a_ping_never_ended(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network that was cut, the first ping would wait for hours."""
    now, end = [0.0], threading.Event()
    ping = health.ping_database
    call = SharedCall[None]("ping", seconds=60, monotonic=lambda: now[0])
    monkeypatch.setattr(health, "_DATABASE", call)
    monkeypatch.setattr(health, "ping_database", lambda: end.wait(60))
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.01)
    try:
        assert anonymous.get("/readyz").status_code == 503
        monkeypatch.setattr(health, "ping_database", ping)
        monkeypatch.setattr(health, "TIMEOUT_SECONDS", 60)
        now[0] = ABANDONED_SECONDS
        assert anonymous.get("/readyz").status_code == 200
    finally:
        end.set()


def test_requests_at_the_same_time_share_one_check_of_a_dependency_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dependency that hangs holds one thread, however many ask."""
    end = threading.Event()
    calls: list[int] = []

    def hang() -> None:
        calls.append(1)
        end.wait(30)

    monkeypatch.setattr(health, "ping_database", hang)
    monkeypatch.setattr(health, "ping_valkey", lambda: None)
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.01)
    try:
        for _ in range(5):
            assert "database" in health.unavailable_dependencies()
        assert len(calls) == 1
    finally:
        end.set()
