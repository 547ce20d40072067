"""Calendar feeds: a personal address, and the schedule as a calendar reads it."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from icalendar import Calendar, Event

from shared_apps.accounts.models import Role, User
from tatami.keys import secret_hash
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.from_class import local
from tenant_apps.classes.models import CalendarFeed, ClassSession, Enrolment
from tenant_apps.classes.sessions import attach_instructors

BACK: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=90)
REFRESH: Final = timedelta(hours=1)


@transaction.atomic
def open_feed(*, user: User) -> str:
    """Give a user a feed and return its token, which is not kept. The address he had before is void.

    Two at once: the last one's token stands, by the constraint `calendar_feed_one_each`.
    """
    token = secrets.token_urlsafe(32)
    CalendarFeed.objects.bulk_create(
        [CalendarFeed(user=user, token_hash=secret_hash(token))],
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["token_hash", "updated_at"],
    )
    return token


def close_feed(*, user: User) -> None:
    """End a user's feed; where there is none nothing changes."""
    CalendarFeed.objects.filter(user=user).delete()


def close_feeds_of_leavers() -> int:
    """End the feeds of users who may no longer sign in; return how many. They are refused before that, too."""
    return CalendarFeed.objects.of_leavers().delete()[0]


def user_of(token: str) -> User | None:
    """Return whose feed this is, None for a token that is unknown, replaced, or of somebody who left."""
    feeds = CalendarFeed.objects.filter(token_hash=secret_hash(token), user__in=User.objects.active())
    feed = feeds.select_related("user").first()
    return feed.user if feed else None


def sessions_for(user: User, *, now: datetime) -> list[ClassSession]:
    """Return what a user's calendar shows, from 30 days back to 90 ahead, cancelled sessions too.

    For whom students are enrolled: their classes' sessions, and those of no class. For staff, and for somebody who is
    enrolled nowhere: all.
    """
    today = local(now)
    rows = ClassSession.objects.between(today - BACK, today + AHEAD)
    if user.role == Role.STUDENT:
        classes = set(Enrolment.objects.belonging_to(user).values_list("training_class", flat=True))
        if classes:
            rows = rows.filter(training_class__in=classes) | rows.filter(training_class__isnull=True)
    found = list(rows.order_by("starts_at", "pk"))
    attach_instructors(found)
    return found


def calendar_of(sessions: list[ClassSession]) -> bytes:
    """Return sessions as iCalendar (RFC 5545).

    Each is an event of its own in UTC, so every calendar shows it at the right local time, whatever it knows of the
    dojo's clock changes. The same sessions give the same bytes.
    """
    tenant = current_tenant()
    calendar = Calendar()
    calendar.add("prodid", "-//Tatami//Schedule//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", tenant.name)
    calendar.add("x-wr-timezone", tenant.timezone)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
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
    event.add("summary", session.name)
    event.add("status", "CANCELLED" if session.is_cancelled else "CONFIRMED")
    if session.location:
        event.add("location", session.location)
    teachers = ", ".join(user.name for user in session.taught_by)  # type: ignore[attr-defined]
    description = "\n".join(filter(None, (teachers, session.note, session.cancel_reason)))
    if description:
        event.add("description", description)
    return event
