"""The look of a dojo: its colour and its logo, for all pages, also those that need no sign-in.

Pages link the style sheet and need no statement for it. Browsers keep it for a minute, so a change is seen within one.
"""

from hashlib import sha256
from typing import Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from tatami.errors import NotFound
from tenant_apps.desk.brand.colours import Palette, dark_palette, light_palette
from tenant_apps.desk.page import Page
from tenant_apps.dojo.logo_storage import stored_logo
from tenant_apps.dojo.models import DojoSettings

CACHE_CONTROL: Final = "public, max-age=60"


class BrandStyle(Page):
    """The style sheet. One statement."""

    def get(self, *_args: object, **_kwargs: object) -> HttpResponseBase:
        return _public(style_of(DojoSettings.current()).encode(), "text/css; charset=utf-8")


class Logo(Page):
    """The logo, PNG or JPEG, as it was stored: read and written anew by us. One statement."""

    def get(self, *_args: object, **_kwargs: object) -> HttpResponseBase:
        logo = stored_logo(DojoSettings.current())
        if logo is None:
            raise NotFound
        return _public(logo, "image/png" if logo.startswith(b"\x89PNG") else "image/jpeg")


def style_of(settings: DojoSettings) -> str:
    """Return the style sheet of a dojo; empty if it has neither a colour nor a logo."""
    parts = []
    if settings.accent_color:
        light, dark = light_palette(settings.accent_color), dark_palette(settings.accent_color)
        parts.append(f":root {{ {_tokens(light)} }}")
        parts.append(f"@media (prefers-color-scheme: dark) {{ :root {{ {_tokens(dark)} }} }}")
    if settings.logo:
        version = sha256(settings.logo.encode()).hexdigest()[:12]
        address = f"{reverse('desk:logo')}?v={version}"
        parts.append(
            f'.bar .mark, .brand {{ background: #fff url("{address}") center / contain no-repeat; '
            "background-origin: content-box; }\n"
            ".bar .mark { width: 3.6rem; height: 2rem; padding: 3px; border: 1px solid var(--line); }\n"
            ".bar .mark::after { content: none; }\n"
            ".brand { display: block; }"
        )
    return "\n".join(parts)


def _tokens(palette: Palette) -> str:
    return (
        f"--accent: {palette.accent}; --accent-strong: {palette.accent_strong}; "
        f"--on-accent: {palette.on_accent}; --accent-soft: {palette.accent_soft};"
    )


def _public(content: bytes, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Cache-Control"] = CACHE_CONTROL
    response["X-Content-Type-Options"] = "nosniff"
    return response
