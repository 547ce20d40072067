"""Tags and filters of the pages about students: words for what the API names by codes."""

from typing import Any, Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from tatami.clock import tenant_date
from tenant_apps.desk.templatetags.desk import parse
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.civil_dates import full_age

register = template.Library()

STATUSES: Final = {
    "active": (gettext_lazy("Active"), "good"),
    "trial": (gettext_lazy("Trial"), ""),
    "on_hold": (gettext_lazy("On hold"), "warn"),
    "inactive": (gettext_lazy("Inactive"), ""),
}
FACT_KINDS: Final = {
    "opening_attendance": gettext_lazy("Training before this software"),
    "points": gettext_lazy("Points"),
    "skill": gettext_lazy("Skill"),
    "approval": gettext_lazy("Approval"),
    "document": gettext_lazy("Document"),
    "credential": gettext_lazy("Qualification"),
    "achievement": gettext_lazy("Achievement"),
    "membership": gettext_lazy("Membership"),
}
EVENT_KINDS: Final = {
    "award": gettext_lazy("Awarded"),
    "import": gettext_lazy("Recorded"),
    "convert": gettext_lazy("Converted"),
    "demote": gettext_lazy("Set back"),
}
METHODS: Final = {
    "qr_rotating": gettext_lazy("code on the phone"),
    "qr_card": gettext_lazy("card"),
    "session_code": gettext_lazy("code on the wall"),
    "manual": gettext_lazy("by hand"),
    "import": gettext_lazy("imported"),
}
UNITS: Final = {
    "day": gettext_lazy("days"),
    "session": gettext_lazy("sessions"),
    "hour": gettext_lazy("hours"),
}


@register.simple_tag
def age(birth_date: Any, leap_day: str) -> str:
    """`age 12`, in completed years; an empty text for no date."""
    if not birth_date:
        return ""
    years = full_age(parse(birth_date), tenant_date(), LeapDayBirthday(leap_day))
    return gettext("age %(years)s") % {"years": years}


@register.filter
def status_badge(status: str) -> SafeString:
    """Draw the status of a student."""
    label, look = STATUSES[status]
    return format_html('<span class="badge {}">{}</span>', look, label)


@register.filter
def fact_kind(kind: str) -> Any:
    """The words for a kind of fact."""
    return FACT_KINDS.get(kind, kind)


@register.filter
def event_kind(kind: str) -> Any:
    """The words for a kind of rank event."""
    return EVENT_KINDS.get(kind, kind)


@register.filter
def method(name: str) -> Any:
    """The words for how an attendance was recorded."""
    return METHODS.get(name, name)


@register.filter
def fact_value(value: Any) -> str:
    """The value of a fact: `30 hours`, `3 (kata)`, or its name."""
    if isinstance(value, dict) and "count" in value:
        return f"{value['count']} {UNITS.get(value['unit'], value['unit'])}"
    if isinstance(value, dict):
        return f"{value['points']} ({value['category']})"
    return str(value)


@register.filter
def unlocalized(number: float) -> str:
    """A number for the attributes of HTML, in every language."""
    return str(number)


RECORDS: Final = {
    "attendance": gettext_lazy("Visits"),
    "batch_items": gettext_lazy("Results of batches"),
    "cards": gettext_lazy("Cards"),
    "enrolments": gettext_lazy("Enrolments"),
    "past_enrolments": gettext_lazy("Former enrolments"),
    "exams": gettext_lazy("Exams"),
    "facts": gettext_lazy("Facts"),
    "guardians": gettext_lazy("Guardians"),
    "holds": gettext_lazy("Breaks"),
    "merged_records": gettext_lazy("Records merged earlier"),
    "messages": gettext_lazy("Messages"),
    "notes": gettext_lazy("Notes"),
    "rank_events": gettext_lazy("Ranks"),
    "refusals": gettext_lazy("Refused scans"),
    "scan_answers": gettext_lazy("Scans"),
    "users": gettext_lazy("Logins"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "preferred_name": gettext_lazy("Called"),
    "name_order": gettext_lazy("Order of the name"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "birth_date": gettext_lazy("Date of birth"),
    "gender": gettext_lazy("Gender"),
    "status": gettext_lazy("Status"),
    "joined_on": gettext_lazy("Joined on"),
    "external_id": gettext_lazy("Number"),
    "licence_number": gettext_lazy("Licence number"),
    "medical_notes": gettext_lazy("Medical notes"),
}


@register.filter
def record_name(what: str) -> Any:
    """The words for what a merge moves or compares."""
    return RECORDS.get(what) or what.replace("_", " ").capitalize()


@register.filter
def conflict(value: Any) -> str:
    """What one of two records has, as text: without ids, which say nothing to people."""
    if isinstance(value, dict):
        parts = [conflict(part) for name, part in value.items() if name != "id"]
        return ", ".join(part for part in parts if part)
    if isinstance(value, list):
        return ", ".join(conflict(part) for part in value)
    return "" if value is None else str(value)
