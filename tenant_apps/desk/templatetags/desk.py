"""Tags and filters of the desk's templates. Times of the API (ISO 8601, UTC) are shown on the dojo's clock."""

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from tatami.clock import now, tenant_date, tenant_time
from tatami.tenancy.scope import current_tenant
from tenant_apps.desk.belts import Belt

register = template.Library()

_STRIPE: Final = "#ffffff"
_BAR: Final = "#1b1b1b"


def parse(value: str | date | datetime) -> date | datetime:
    """Return an ISO 8601 text of the API as a date, or as an instant on the dojo's clock."""
    found: date | datetime = value if not isinstance(value, str) else _parse_text(value)
    if isinstance(found, datetime):
        return found.astimezone(ZoneInfo(current_tenant().timezone))
    return found


def _parse_text(value: str) -> date | datetime:
    return date.fromisoformat(value) if len(value) == len("2026-11-28") else datetime.fromisoformat(value)


@register.filter
def clock(value: str | datetime) -> str:
    """`18:30`, the time of an instant on the dojo's clock."""
    found = parse(value)
    return tenant_time(found) if isinstance(found, datetime) else ""


@register.filter
def day(value: str | date | None) -> str:
    """`28 November 2026`, as the language of the dojo writes it; an empty text for no date."""
    return date_format(parse(value), gettext("j F Y")) if value else ""


@register.filter
def short_day(value: str | date | None) -> str:
    """`28 Nov 2026`, as the language of the dojo writes it; an empty text for no date."""
    return date_format(parse(value), gettext("j M Y")) if value else ""


@register.filter
def weekday(value: str | date) -> str:
    """`Saturday, 28 November`."""
    return date_format(parse(value), gettext("l, j F"))


@register.filter
def when(value: str | datetime | None) -> str:
    """`28 Nov 2026, 18:30`, or only the time if it is today."""
    if not value:
        return ""
    found = parse(value)
    if not isinstance(found, datetime):
        return short_day(found)
    if found.date() == tenant_date():
        return tenant_time(found)
    return f"{date_format(found, gettext('j M Y'))}, {tenant_time(found)}"


@register.filter
def is_past(value: str | datetime) -> bool:
    """Whether an instant has come."""
    found = parse(value)
    return isinstance(found, datetime) and found <= now()


@register.filter
def initials(name: str) -> str:
    """`MS` for Mika Sato: the first letters of the first and the last word."""
    words = name.split()
    return "".join(word[0] for word in ([words[0], words[-1]] if len(words) > 1 else words[:1])).upper()


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, or `None`."""
    return mapping.get(str(key)) if mapping else None


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], route: str, method: str = "GET") -> bool:
    """Whether the user's role may call a method of a page or of a route of the API."""
    page = context.get("page")
    return bool(page and page.may(route, method))


@register.simple_tag
def page_url(page: str, **keys: Any) -> str:
    """Return the address of a page of the desk."""
    try:
        return reverse(f"desk:{page}", kwargs=keys)
    except NoReverseMatch:
        return ""


@register.simple_tag
def belt(found: Belt | None, label: str = "") -> SafeString:
    """Draw a belt as SVG: its colours as bands, its stripes on the bar. Nothing for no belt."""
    if found is None:
        return SafeString("")
    colours = found.colours[:3]
    bands = (
        [(colours[0], 0, 16)]
        if len(colours) == 1
        else [(colours[0], 0, 8), (colours[1], 8, 8)]
        if len(colours) == 2
        else [(colours[0], 0, 5), (colours[1], 5, 6), (colours[2], 11, 5)]
    )
    cloth = format_html_join(
        "", '<rect x="0" y="{}" width="64" height="{}" fill="{}"/>', [(y, height, fill) for fill, y, height in bands]
    )
    bar = (
        format_html('<rect x="38" y="0" width="20" height="16" fill="{}"/>', _BAR) if found.stripes else SafeString("")
    )
    stripes = format_html_join(
        "",
        '<rect x="{}" y="0" width="2.4" height="16" fill="{}"/>',
        [(40 + 4.4 * number, _STRIPE) for number in range(min(found.stripes, 4))],
    )
    return format_html(
        '<svg class="belt" viewBox="0 0 64 16" preserveAspectRatio="none" role="img" aria-label="{}">{}{}{}</svg>',
        label or gettext("Belt"),
        cloth,
        bar,
        stripes,
    )


_ICONS: Final = {
    "today": '<path d="M12 7v5l3 2"/><circle cx="12" cy="12" r="9"/>',
    "schedule": '<rect x="3" y="5" width="18" height="16" rx="2"/><path d="M3 10h18M8 3v4M16 3v4"/>',
    "students": '<circle cx="9" cy="8" r="4"/><path d="M2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 8M18 15c3 .7 4 3 4 6"/>',
    "promotions": '<path d="M3 9h18v5H3zM9 14l-3 7M15 14l3 7"/><rect x="10" y="7.5" width="4" height="8" rx="1"/>',
    "messages": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3 7 9 6 9-6"/>',
    "reports": '<path d="M4 20V4M4 20h17M8 16v-5M13 16V7M18 16v-8"/>',
    "settings": '<circle cx="12" cy="12" r="3"/><path d="M12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M19 5l-3 3M8 16l-3 3"/>',
    "family": '<path d="m3 11 9-8 9 8M5 10v11h14V10M10 21v-6h4v6"/>',
    "more": '<circle cx="5" cy="12" r="1"/><circle cx="12" cy="12" r="1"/><circle cx="19" cy="12" r="1"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "check": '<path d="m4 12 5 5L20 6"/>',
    "cross": '<path d="M6 6l12 12M18 6 6 18"/>',
    "warning": '<path d="M12 3 2 20h20zM12 10v4M12 17v.5"/>',
    "cake": '<path d="M4 20h16v-7H4zM12 9v4M8 9v4M16 9v4M12 5v1M8 5v1M16 5v1M4 16c2 2 3-1 5.3 0s3.3 1 5.4 0 3.3-1.5 5.3 0"/>',
    "card": '<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M7 10h4v4H7zM14 10h4M14 14h3"/>',
    "print": '<path d="M7 9V3h10v6M7 17H4v-8h16v8h-3M7 14h10v7H7z"/>',
    "undo": '<path d="M4 9h10a6 6 0 0 1 0 12h-4M4 9l5-5M4 9l5 5"/>',
    "left": '<path d="m15 5-7 7 7 7"/>',
    "right": '<path d="m9 5 7 7-7 7"/>',
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon. Texts beside it say what it means, so it is hidden from screen readers."""
    shape = mark_safe(_ICONS[name])  # noqa: S308 - from the table above
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', shape)
