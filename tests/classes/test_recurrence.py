"""Recurrences over a year in several time zones: every session starts at the local time of its class.

The code combines a local time with a zone. The tests do not: they go through instants around each clock change, and ask
zoneinfo for the local time at each.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tatami import clock
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.classes.models import ClassSession
from tenant_apps.classes.recurrence import Occurrence, occurrences, read_recurrence
from tenant_apps.classes.services import create_class, ensure_sessions_until

ZONES = ("America/Sao_Paulo", "Europe/Berlin", "Pacific/Auckland", "Asia/Kolkata")
WEEKDAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"]
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def recurrence_document(start: str, weekdays: list[str], first: date = YEAR[0]) -> dict:
    return {"weekdays": weekdays, "start_time": start, "duration_minutes": 60, "from": first.isoformat()}


def occurrences_of_year(zone: str, start: str, weekdays: list[str], *, of: int = 2026) -> list[Occurrence]:
    first, last = date(of, 1, 1), date(of, 12, 31)
    return list(
        occurrences(
            read_recurrence(recurrence_document(start, weekdays, first)),
            timezone=zone,
            first=first,
            last=last,
        )
    )


def local_time(instant: datetime, zone: str) -> datetime:
    """Return the local time of an instant, without a zone."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def instants_at(wall: datetime, zone: str) -> list[datetime]:
    """Return every instant whose local time is `wall`, in order."""
    guess = wall.replace(tzinfo=UTC)
    offsets = {guess + timedelta(minutes=15 * n) for n in range(-4 * 15, 4 * 15 + 1)}
    return sorted(instant for instant in offsets if local_time(instant, zone) == wall)


def clock_changes(zone: str, year: int) -> list[datetime]:
    """Return the instants of a year at which the offset from UTC changes."""
    instant, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found = []
    while instant < end:
        following = instant + timedelta(minutes=30)
        if instant.astimezone(ZoneInfo(zone)).utcoffset() != following.astimezone(ZoneInfo(zone)).utcoffset():
            found.append(following)
        instant = following
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ["06:15", "18:30", "23:45"])
def test_every_session_of_a_year_starts_at_the_local_time_of_the_class(zone: str, start: str) -> None:
    found = occurrences_of_year(zone, start, ["mo", "we", "sa"])
    days = [YEAR[0] + timedelta(days=n) for n in range(365)]
    assert [one.slot_date for one in found] == [day for day in days if day.weekday() in {0, 2, 5}]
    for one in found:
        assert local_time(one.starts_at, zone) == datetime.combine(one.slot_date, time.fromisoformat(start))
        assert one.ends_at - one.starts_at == timedelta(hours=1)
        assert one.local_date == one.slot_date == local_time(one.starts_at, zone).date()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"])
def test_the_year_has_two_clock_changes(zone: str) -> None:
    assert len(clock_changes(zone, 2026)) == 2


@pytest.mark.parametrize("zone", [*ZONES, "Australia/Lord_Howe", "Africa/Casablanca"])
@pytest.mark.parametrize("start", ["00:00", "01:30", "02:00", "02:15", "02:30", "02:59", "03:00"])
def test_a_repeated_hour_counts_the_first_time_and_a_skipped_hour_moves_after_the_change(
    zone: str, start: str
) -> None:
    for one in occurrences_of_year(zone, start, WEEKDAYS):
        wall = datetime.combine(one.slot_date, one.slot_time)
        possible = instants_at(wall, zone) if one.slot_time.minute % 15 == 0 else None
        if possible:
            assert one.starts_at == possible[0]
        elif possible == []:
            jump = min(clock_changes(zone, 2026), key=lambda change: abs(change - one.starts_at))
            gap = (
                local_time(jump, zone) - local_time(jump - timedelta(minutes=1), zone) - timedelta(minutes=1)
            )
            assert local_time(one.starts_at, zone) - wall == gap
            assert local_time(jump, zone) <= local_time(one.starts_at, zone)


def test_a_skipped_midnight_moves_after_the_change() -> None:
    skipped = next(
        one
        for one in occurrences_of_year("America/Sao_Paulo", "00:00", WEEKDAYS, of=2017)
        if one.slot_date == date(2017, 10, 15)
    )
    assert local_time(skipped.starts_at, "America/Sao_Paulo") == datetime.combine(
        date(2017, 10, 15), time(1, 0)
    )
    doubled = next(
        one
        for one in occurrences_of_year("America/Sao_Paulo", "23:30", WEEKDAYS, of=2018)
        if one.slot_date == date(2018, 2, 17)
    )
    assert doubled.starts_at == datetime(2018, 2, 18, 1, 30, tzinfo=UTC)


def test_a_session_on_a_skipped_day_has_the_local_date_of_its_start() -> None:
    left_out = next(
        one
        for one in occurrences_of_year("Pacific/Apia", "18:30", WEEKDAYS, of=2011)
        if one.slot_date == date(2011, 12, 30)
    )
    assert left_out.local_date == local_time(left_out.starts_at, "Pacific/Apia").date() == date(2011, 12, 31)


@pytest.mark.parametrize("zone", ZONES)
def test_the_stored_sessions_of_a_year_start_at_the_local_time(tenant: TenantScope, zone: str) -> None:
    here = TenantScope(
        schema_name=tenant.schema_name,
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        timezone=zone,
        status=tenant.status,
        primary_domain=tenant.primary_domain,
    )
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with tenant_scope(here), clock.fixed(now):
        recurrence = {
            **recurrence_document("18:30", ["tu", "th"]),
            "more_times": [recurrence_document("02:30", ["su"])],
        }
        recurrence["more_times"][0].pop("from")
        create_class(values={"name": "Evening", "recurrence": recurrence}, instructors=[], now=now)
        ensure_sessions_until(YEAR[1], now=now)
        found = list(ClassSession.objects.filter(training_class__name="Evening"))
    days = [YEAR[0] + timedelta(days=n) for n in range(365)]
    assert len(found) == sum(day.weekday() in {1, 3, 6} for day in days)
    for session in found:
        wall = local_time(session.starts_at, zone)
        assert session.local_date == wall.date()
        if session.slot_date.weekday() != 6:
            assert wall.time() == time(18, 30)
        elif instants_at(datetime.combine(session.slot_date, session.slot_time), zone):
            assert wall.time() == time(2, 30)
        else:
            assert wall.time() == time(3, 30)


@pytest.mark.parametrize("weeks", [1, 2, 3, 8])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"])
def test_a_class_every_few_weeks_counts_weeks_from_monday(zone: str, weeks: int) -> None:
    """The first week is that of `from`, although its Monday was before."""
    document = {**recurrence_document("18:30", ["mo", "th"], date(2026, 1, 7)), "every_weeks": weeks}
    found = occurrences(read_recurrence(document), timezone=zone, first=YEAR[0], last=YEAR[1])
    days = [one.slot_date for one in found]
    first_monday = date(2026, 1, 5)
    wanted = []
    for week in range(0, 52, weeks):
        monday = first_monday + timedelta(weeks=week)
        wanted += [day for day in (monday, monday + timedelta(days=3)) if date(2026, 1, 7) <= day <= YEAR[1]]
    assert days == wanted


def test_the_weeks_do_not_depend_on_where_generation_resumes() -> None:
    document = {**recurrence_document("18:30", WEEKDAYS, date(2026, 1, 3)), "every_weeks": 3}
    recurrence = read_recurrence(document)
    whole = list(occurrences(recurrence, timezone="UTC", first=YEAR[0], last=YEAR[1]))
    parts = []
    day = YEAR[0]
    while day <= YEAR[1]:
        parts += occurrences(recurrence, timezone="UTC", first=day, last=day + timedelta(days=4))
        day += timedelta(days=5)
    assert [one for one in parts if one.slot_date <= YEAR[1]] == whole
