"""Calendar feeds: a secret URL for each user, and the schedule as iCalendar."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext
from icalendar import Calendar, Event

from shared_apps.accounts.models import Role, User
from tatami.clock import tenant_date
from tatami.keys import secret_hash
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.models import CalendarFeed, ClassSession, Enrolment
from tenant_apps.classes.sessions import attach_instructors

DAYS_BACK: Final = timedelta(days=30)
DAYS_AHEAD: Final = timedelta(days=90)
REFRESH_INTERVAL: Final = timedelta(hours=1)


@transaction.atomic
def create_feed(*, user: User) -> str:
    """Create the feed of a user and return its token, which is not stored. The previous token becomes invalid.

    Of concurrent calls, the last token is valid, by the constraint `calendar_feed_one_each`.
    """
    token = secrets.token_urlsafe(32)
    CalendarFeed.objects.bulk_create(
        [CalendarFeed(user=user, token_hash=secret_hash(token))],
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["token_hash", "updated_at"],
    )
    return token


def delete_feed(*, user: User) -> None:
    """Delete the feed of a user. Does nothing if there is none."""
    CalendarFeed.objects.filter(user=user).delete()


def delete_feeds_of_inactive_users() -> int:
    """Delete the feeds of users who may no longer sign in; return their number. `feed_user` refuses them before."""
    return CalendarFeed.objects.of_inactive_users().delete()[0]


def feed_user(token: str) -> User | None:
    """Return the user of a feed, `None` if the token is unknown or replaced, or the user may no longer sign in."""
    feeds = CalendarFeed.objects.filter(token_hash=secret_hash(token), user__in=User.objects.active())
    feed = feeds.select_related("user").first()
    return feed.user if feed else None


def sessions_for(user: User, *, now: datetime) -> list[ClassSession]:
    """Return the sessions in the calendar of a user, from 30 days back to 90 days ahead.

    Sessions that were cancelled individually are included, so that people see it. Sessions in a closure are left out,
    and so are coming sessions of an archived class.

    If students of the user are enrolled: the sessions of their classes, and those without a class. For staff, and for
    users without enrolments: all.
    """
    today = tenant_date(now)
    rows = ClassSession.objects.between(today - DAYS_BACK, today + DAYS_AHEAD).filter(closure__isnull=True)
    rows = rows.exclude(training_class__archived_at__isnull=False, starts_at__gt=now)
    if user.role == Role.STUDENT:
        classes = set(Enrolment.objects.belonging_to(user).values_list("training_class", flat=True))
        if classes:
            rows = rows.filter(training_class__in=classes) | rows.filter(training_class__isnull=True)
    found = list(rows.order_by("starts_at", "pk"))
    attach_instructors(found)
    return found


def calendar_of(sessions: list[ClassSession]) -> bytes:
    """Return sessions as iCalendar (RFC 5545). The same sessions give the same bytes.

    Each session is an event of its own, in UTC. So a calendar shows the right local time, even if it does not know when
    the dojo changes its clocks.
    """
    tenant = current_tenant()
    calendar = Calendar()
    calendar.add("prodid", "-//Tatami//Schedule//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", tenant.name)
    calendar.add("x-wr-timezone", tenant.timezone)
    calendar.add("refresh-interval", REFRESH_INTERVAL, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for session in sessions:
        calendar.add_component(_event(session, host=f"{tenant.tenant_id}.tatami"))
    return bytes(calendar.to_ical())


def _event(session: ClassSession, *, host: str) -> Event:
    event = Event()
    event.add("uid", f"{session.pk}@{host}")
    event.add("dtstamp", session.updated_at)
    event.add("last-modified", session.updated_at)
    event.add("dtstart", session.starts_at)
    event.add("dtend", session.ends_at)
    event.add("summary", _title(session))
    event.add("status", "CANCELLED" if session.is_cancelled else "CONFIRMED")
    if session.location:
        event.add("location", session.location)
    instructors = ", ".join(user.name for user in session.taught_by)  # type: ignore[attr-defined]
    description = "\n".join(filter(None, (instructors, session.note, session.cancel_reason)))
    if description:
        event.add("description", description)
    return event


def _title(session: ClassSession) -> str:
    """Return the title of an event. A cancelled one has the word: most calendar programs do not show the status."""
    return (
        gettext("Cancelled: {session}").format(session=session.name) if session.is_cancelled else session.name
    )
