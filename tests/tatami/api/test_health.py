"""`/healthz` and `/readyz`."""

from typing import Any

import pytest
from django.test import Client

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
