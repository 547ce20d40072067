"""The header that tells browsers to use https only."""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER: Final = "Strict-Transport-Security"


class StrictTransportMiddleware:
    """Sets the header on every response if the installation is served over https.

    Django's middleware sets it only on requests that it knows to be secure, which it does not behind a proxy that it is
    not told to trust. Browsers ignore the header on plain http. Subdomains are not included: custom domains of dojos
    belong to others.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if settings.TATAMI_PUBLIC_SCHEME != "https":
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on, and add the header."""
        response = self.get_response(request)
        response.headers[HEADER] = f"max-age={settings.SECURE_HSTS_SECONDS}"
        return response
