"""Tags and filters of the desk's templates. Times of the API (ISO 8601, UTC) are shown on the dojo's clock."""

from datetime import date, datetime
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, gettext_lazy

from tatami.clock import now, tenant_date, tenant_time
from tatami.tenancy.scope import current_tenant
from tenant_apps.desk.belts import Belt
from tenant_apps.desk.icons import ICONS
from tenant_apps.dojo.dates import MONTHS, Language

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


def write_date(value: date, form: str) -> str:
    """Return a date in a form of Django, its month as mails and documents write it: `28 de novembro`, in lower case."""
    text, months = date_format(value, form), MONTHS.get(cast("Language", get_language()))
    return text.replace(date_format(value, "F"), months[value.month - 1]) if months else text


@register.filter
def clock(value: str | datetime) -> str:
    """`18:30`, the time of an instant on the dojo's clock."""
    found = parse(value)
    return tenant_time(found) if isinstance(found, datetime) else ""


@register.filter
def day(value: str | date | None) -> str:
    """`28 November 2026`, as the language of the dojo writes it; an empty text for no date."""
    return write_date(parse(value), gettext("j F Y")) if value else ""


@register.filter
def short_day(value: str | date | None) -> str:
    """`28 Nov 2026`, as the language of the dojo writes it; an empty text for no date."""
    return date_format(parse(value), gettext("j M Y")) if value else ""


@register.filter
def weekday(value: str | date) -> str:
    """`Saturday, 28 November`."""
    return write_date(parse(value), gettext("l, j F"))


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


_MAIL_WORDS: Final = {
    "queued": gettext_lazy("waiting"),
    "sent": gettext_lazy("sent"),
    "failed": gettext_lazy("failed"),
    "skipped": gettext_lazy("left out"),
    "no_address": gettext_lazy("no address"),
    "bounced": gettext_lazy("the address did not work before"),
    "unsubscribed": gettext_lazy("unsubscribed"),
    "cancelled": gettext_lazy("cancelled"),
}


@register.filter
def mail_word(code: str) -> str:
    """The state of a mail, or the reason why it was not sent, in words; what is not known is returned as it is."""
    return str(_MAIL_WORDS.get(code) or gettext(code))


@register.filter
def percent(share: float | None) -> str:
    """`67 %` for 0.67."""
    return "" if share is None else gettext("{number} %").format(number=round(share * 100))


@register.filter
def plain(number: float) -> str:
    """A number as attributes of HTML write it, whatever the language."""
    return repr(number)


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, or `None`."""
    return mapping.get(key, mapping.get(str(key))) if mapping else None


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
        if len(colours) == 2  # noqa: PLR2004
        else [(colours[0], 0, 5), (colours[1], 5, 6), (colours[2], 11, 5)]
    )
    cloth = format_html_join(
        "",
        '<rect x="0" y="{}" width="64" height="{}" fill="{}"/>',
        [(y, height, fill) for fill, y, height in bands],
    )
    bar = (
        format_html('<rect x="38" y="0" width="20" height="16" fill="{}"/>', _BAR)
        if found.stripes
        else SafeString("")
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


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon. Texts beside it say what it means, so it is hidden from screen readers."""
    shape = mark_safe(ICONS[name])  # noqa: S308 - from our own table
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', shape)
