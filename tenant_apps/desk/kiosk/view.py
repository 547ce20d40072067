"""The kiosk at the door, and what makes it work without a network.

The page holds nothing about a person, so it is public. Its script pairs the device and then calls the API with the
token of the device, as any other client does.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext

from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.check_in.codes import ALPHABET, CODE_LENGTHS
from tenant_apps.attendance.serializers import MAX_TOKEN_LENGTH
from tenant_apps.desk.belts import belts
from tenant_apps.desk.brand.view import style_of
from tenant_apps.desk.kiosk.texts import ALERTS, REFUSALS, TEXTS
from tenant_apps.desk.page import Page
from tenant_apps.dojo.models import DojoSettings

_MODULES: Final = (
    "answers", "api", "camera", "kiosk", "menu", "pairing", "pin", "queue", "scanner", "sessions", "store", "texts",
    "wall",
)  # fmt: skip
FILES: Final = (
    "desk/desk.css",
    "desk/icon.svg",
    "desk/icon-192.png",
    "desk/icon-512.png",
    *(f"desk/kiosk/{name}.js" for name in _MODULES),
)
"""The static files that the page needs."""
READER: Final = ("desk/packages/zxing-reader.js", "desk/packages/zxing-reader.wasm")
"""What `make browser-packages` installs, for browsers that cannot read codes themselves."""


@cache
def _reader() -> tuple[str, ...]:
    """Return the addresses of the script and of the wasm that read codes; none if they are not installed."""
    return tuple(static(path) for path in READER) if all(finders.find(path) for path in READER) else ()


@cache
def _files_digest() -> bytes:
    digest = hashlib.sha256()
    for path in (*FILES, *READER):
        found = finders.find(path)
        digest.update(Path(found).read_bytes() if found else b"-")
    return digest.digest()


class Kiosk(Page):
    """The page of a kiosk: pairing, camera, scanner, answers, wall mode. One statement."""

    template_name = "desk/kiosk/kiosk.html"
    script_policy = " 'wasm-unsafe-eval'"

    def context(self) -> dict[str, Any]:
        return {"belts": belts(), "shared": self.shared()}

    def shared(self) -> Mapping[str, Any]:
        """Return what the scripts must know: their texts, and the addresses that they cannot derive."""
        script, wasm = _reader() or ("", "")
        return {
            "texts": TEXTS,
            "refusals": REFUSALS,
            "alerts": ALERTS,
            "language": get_language(),
            "timezone": current_tenant().timezone,
            "alphabet": ALPHABET,
            "shortest": min(CODE_LENGTHS),
            "longest": max(CODE_LENGTHS),
            "longest_text": MAX_TOKEN_LENGTH,
            "zxing": {"script": script, "wasm": wasm},
            "worker": reverse("desk:kiosk-worker"),
            "scope": reverse("desk:kiosk"),
        }


class KioskWorker(Kiosk):
    """The service worker: it serves the page and its files without a network, and replaces all of them at once."""

    template_name = "desk/kiosk/worker.js"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        page = self.render_text(self.context(), template=Kiosk.template_name)
        settings = DojoSettings.current()
        look = [reverse("desk:brand"), *([reverse("desk:logo")] if settings.logo else [])]
        own = [reverse("desk:kiosk"), reverse("desk:kiosk-manifest"), *look]
        addresses = [*own, *map(static, FILES), *_reader()]
        version = hashlib.sha256(_files_digest() + (page + style_of(settings)).encode()).hexdigest()[:20]
        cached = mark_safe(json.dumps({"version": version, "addresses": addresses}))  # noqa: S308 - our own addresses
        text = self.render_text({"cached": cached})
        response = HttpResponse(text, content_type="text/javascript; charset=utf-8")
        response["Service-Worker-Allowed"] = reverse("desk:kiosk")
        return response


class KioskManifest(Page):
    """What a browser needs to install the kiosk as an app. No statement."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        name = gettext("Kiosk · %(dojo)s") % {"dojo": current_tenant().name}
        return manifest(name, gettext("Kiosk"), reverse("desk:kiosk"), "fullscreen")


def manifest(name: str, short_name: str, address: str, display: str) -> HttpResponse:
    """Return a web app manifest: the app begins at `address` and consists of the pages below it."""
    icons = [
        {"src": static("desk/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("desk/icon-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "any"},
        {"src": static("desk/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
    ]
    content = {
        "id": address,
        "name": name,
        "short_name": short_name,
        "start_url": address,
        "scope": address,
        "display": display,
        "background_color": "#f5f2ea",
        "theme_color": "#1d5c49",
        "lang": get_language(),
        "icons": icons,
    }
    return JsonResponse(content, content_type="application/manifest+json")
