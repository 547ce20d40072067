"""What the desk should know about a student who checks in."""

from calendar import isleap
from datetime import date, timedelta
from typing import Final

from tenant_apps.attendance.facts import Facts, Person
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import LeapDayBirthday

LONG_ABSENCE: Final = timedelta(days=30)
"""Without a visit for longer than this before the session, a student has been away for long."""

ALERTS: Final = {
    "birthday": "It is this student's birthday.",
    "on_hold": "This student's membership is on hold.",
    "medical": "There are medical notes about this student.",
    "absent_for_long": f"This student has not been here for more than {LONG_ABSENCE.days} days.",
    "card_shared": "This card was used at another device a moment ago.",
    "promotion_due": "This student may be due for promotion.",
}
FOR_EVERYBODY: Final = frozenset({"birthday", "promotion_due"})
"""What devices and students receive too; the rest is for staff."""


def alerts_about(person: Person, session: ClassSession, facts: Facts) -> list[str]:
    """Return the codes of what is to be known about a student on the local date of a session."""
    found = []
    if _is_birthday(person.student.birth_date, session.local_date, facts.settings.leap_day_birthday):
        found.append("birthday")
    if person.is_on_hold(session.local_date):
        found.append("on_hold")
    if person.has_medical_notes:
        found.append("medical")
    if person.last_visit is not None and session.starts_at - person.last_visit > LONG_ABSENCE:
        found.append("absent_for_long")
    if person.is_promotion_due:
        found.append("promotion_due")
    return found


def shown_alerts(codes: list[str], *, to_staff: bool) -> list[dict[str, str]]:
    """Return alerts as the contract shows them, those that the caller may receive."""
    return [{"code": code, "message": ALERTS[code]} for code in codes if to_staff or code in FOR_EVERYBODY]


def _is_birthday(born: date | None, on: date, leap_day: str) -> bool:
    if born is None:
        return False
    day = (born.month, born.day)
    if day == (2, 29) and not isleap(on.year):
        day = (2, 28) if leap_day == LeapDayBirthday.FEBRUARY_28 else (3, 1)
    return (on.month, on.day) == day
