"""The sample site in place of the real routes, without host names: the HTTP kernel alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from tatami.api import schema
from tatami.tenancy.scope import platform_scope

KERNEL = [
    "tatami.observability.RequestContext",
    "tatami.api.errors.ErrorEnvelope",
    "tatami.api.health.Health",
    "tatami.api.gate.InputGate",
]


@pytest.fixture
def site(settings: Any) -> Iterator[Any]:
    """Return the settings, with the sample site in force."""
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = "tests.tatami.api.sample"
    settings.TATAMI_ACCESS = "tests.tatami.api.sample.ACCESS"
    settings.MIDDLEWARE = KERNEL
    clear_url_caches()
    schema.document.cache_clear()
    yield settings
    schema.document.cache_clear()


@pytest.fixture
def http(site: Any) -> Client:
    """Return a client without a token."""
    return Client()


@pytest.fixture
def admin(site: Any) -> Client:
    """Return a client whose token makes it an admin of the sample site."""
    return Client(headers={"Authorization": "Bearer admin"})


def error_of(response: Any) -> tuple[int, str]:
    """Return status and code, having looked at the envelope."""
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) <= {"code", "message", "details"}
    assert body["error"]["message"]
    return response.status_code, body["error"]["code"]


def details_of(response: Any) -> dict[str, list[str]]:
    """Return the messages of a `validation_error` by dotted path."""
    assert error_of(response) == (400, "validation_error")
    found: dict[str, list[str]] = response.json()["error"]["details"]
    return found


@pytest.fixture
def rows(site: Any, db: None) -> Iterator[Client]:
    """Return an admin's client of the site that has rows: users of the platform itself."""
    site.ROOT_URLCONF = site.PUBLIC_SCHEMA_URLCONF = "tests.tatami.api.sample_rows"
    site.TATAMI_ACCESS = "tests.tatami.api.sample_rows.ACCESS"
    site.MIDDLEWARE = [*KERNEL, "tests.tatami.api.sample_rows.on_the_platform"]
    clear_url_caches()
    with platform_scope():
        yield Client(headers={"Authorization": "Bearer admin"})
