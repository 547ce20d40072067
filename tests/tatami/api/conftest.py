"""Fixtures for tests of the HTTP kernel: a sample site instead of the real routes, on any host name."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from tatami.api import registry
from tatami.api.openapi.views import openapi_document
from tatami.tenancy.scope import platform_scope
from tests.tatami.api import sample_site, sample_users_site

MIDDLEWARE = [
    "tatami.observability.RequestLogMiddleware",
    "tatami.api.exception_mapping.ErrorMiddleware",
    "tatami.api.health.HealthMiddleware",
    "tatami.api.body_middleware.BodyMiddleware",
    "tatami.api.input_middleware.InputMiddleware",
]


@pytest.fixture
def site(settings: Any) -> Iterator[Any]:
    """Serve the sample site; return the settings."""
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = sample_site.__name__
    settings.MIDDLEWARE = MIDDLEWARE
    clear_url_caches()
    openapi_document.cache_clear()
    with registry.access_table.replaced_by(sample_site.ACCESS):
        yield settings
    openapi_document.cache_clear()


@pytest.fixture
def anonymous(site: Any) -> Client:
    """Return a client without a token."""
    return Client()


@pytest.fixture
def admin(site: Any) -> Client:
    """Return a client with an admin's token."""
    return Client(headers={"Authorization": "Bearer admin"})


@pytest.fixture
def users_admin(site: Any, db: None) -> Iterator[Client]:
    """Serve the sample site with rows (the platform's users); return a client with an admin's token."""
    site.ROOT_URLCONF = site.PUBLIC_SCHEMA_URLCONF = sample_users_site.__name__
    site.MIDDLEWARE = [*MIDDLEWARE, "tests.tatami.api.sample_users_site.platform_scope_middleware"]
    clear_url_caches()
    with registry.access_table.replaced_by(sample_users_site.ACCESS), platform_scope():
        yield Client(headers={"Authorization": "Bearer admin"})


def error_of(response: Any) -> tuple[int, str]:
    """Return status and error code, after checking the form of the error response."""
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
