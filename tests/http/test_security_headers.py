"""Headers that protect browsers are on every response, whichever layer makes it."""

from typing import Any

import pytest
from django.test import Client

from tests.support.clients import Dojo

STATIC = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
PATHS = ["/healthz", "/me", "/no-such-path", "/openapi.json", "/docs", STATIC]
YEAR = "max-age=31536000"


def get(host: str, path: str) -> Any:
    """Return the response, read and closed."""
    answer = Client().get(path, headers={"Host": host})
    _ = b"".join(answer) if answer.streaming else answer.content
    answer.close()
    return answer


@pytest.mark.parametrize("path", PATHS)
def test_no_response_is_sniffed_or_open_to_other_origins(dojo: Dojo, path: str) -> None:
    answer = get(dojo.host, path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    if path == STATIC:
        assert answer.status_code == 200


@pytest.mark.usefixtures("dojo")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["aiki.localhost", "localhost", "unknown.example.org"])
def test_browsers_are_told_to_use_https_only(settings: Any, path: str, host: str) -> None:
    assert "Strict-Transport-Security" not in get(host, path).headers
    settings.TATAMI_PUBLIC_SCHEME, settings.SECURE_HSTS_SECONDS = "https", 365 * 24 * 60 * 60
    assert get(host, path).headers["Strict-Transport-Security"] == YEAR
