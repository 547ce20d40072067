"""The page behind the link in bulk mail. Opening it changes nothing: mail scanners open every link."""

from typing import Any, Final

from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.parsers import FormParser, MultiPartParser

from tatami.api.parsers import StrictJSONParser
from tatami.api.renderers import HtmlRenderer
from tatami.api.views import ApiView
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.unsubscribing import WORDS, key_in, unsubscribe

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Unsubscribe(ApiView):
    """Ask whether to send no more bulk mail to an address, and be told so: by the page's button, or by a mail program.

    A mail program posts `List-Unsubscribe=One-Click` (RFC 8058); what a body says makes no difference. Repeated, the
    answer is the same. A code that is none of this dojo's is 404.
    """

    renderer_classes = [HtmlRenderer]
    parser_classes = [FormParser, MultiPartParser, StrictJSONParser]
    idempotent = False

    def get(self, request: Any, code: str) -> HttpResponse:
        key_in(code)
        return _page(is_done=False)

    def post(self, request: Any, code: str) -> HttpResponse:
        unsubscribe(address_key=key_in(code), now=request.now)
        return _page(is_done=True)


def _page(*, is_done: bool) -> HttpResponse:
    language = DojoSettings.current().language
    shown = {
        "dojo": current_tenant().name,
        "language": language,
        "words": WORDS[language],
        "is_done": is_done,
    }
    response = HttpResponse(render_to_string("notifications/unsubscribe.html", shown))
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Referrer-Policy"] = "no-referrer"  # the address of this page is the code
    return response
