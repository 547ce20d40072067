"""`/openapi.json` for this kind of host, and the Swagger UI at `/docs`, which loads nothing from other hosts."""

from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path
from django.utils.html import format_html

from tatami.api.base_view import ApiView
from tatami.api.renderers import JSON, HtmlRenderer, json_bytes
from tatami.api.request import ApiRequest

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tatami API</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{bundle}"></script>
<script src="?script"></script>
</body>
</html>
"""
SCRIPT: Final = """"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
});
"""


@cache
def openapi_document(urlconf: str) -> bytes:
    """Return the OpenAPI document of `urlconf` as JSON. It is built once per process."""
    from tatami.api.openapi.document import Document  # imports every view

    generator = Document(urlconf=urlconf)  # type: ignore[no-untyped-call]
    return json_bytes(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


class OpenApiView(ApiView):
    """The OpenAPI document of this kind of host."""

    atomic = False
    schema = None

    def get(self, request: ApiRequest) -> HttpResponse:
        urlconf = getattr(request._request, "urlconf", None) or settings.ROOT_URLCONF
        response = HttpResponse(openapi_document(urlconf), content_type=JSON)
        response["Cache-Control"] = "public, max-age=300"
        return response


class DocsView(ApiView):
    """Swagger UI. Its start script is a separate request, so the content security policy allows no inline script."""

    atomic = False
    schema = None
    renderer_classes = [HtmlRenderer]

    def get(self, request: ApiRequest) -> HttpResponse:
        if "script" in request.query_params:
            response = HttpResponse(SCRIPT, content_type="text/javascript; charset=utf-8")
        else:
            response = HttpResponse(self.page(), content_type="text/html; charset=utf-8")
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    def page(self) -> str:
        """Return the page, with the URLs of the static files of drf-spectacular-sidecar."""
        files = {"icon": "favicon-32x32.png", "style": "swagger-ui.css", "bundle": "swagger-ui-bundle.js"}
        urls = {
            name: static(f"drf_spectacular_sidecar/swagger-ui-dist/{file}") for name, file in files.items()
        }
        return format_html(PAGE, **urls)


urlpatterns = [
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs", DocsView.as_view(), name="docs"),
]
