"""A front desk: a dojo that is really committed, with students, cards, devices and sessions that are open now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import ClassSession
from tests.attendance.desk import Desk
from tests.support.committed import committed_dojo


@pytest.fixture(scope="module")
def desk(django_db_setup: None, django_db_blocker: Any) -> Iterator[Desk]:
    """A committed dojo at the real present; purged in the end."""
    with django_db_blocker.unblock(), committed_dojo("front-desk", "Front Desk") as dojo:
        yield Desk(dojo)


@pytest.fixture
def session(desk: Desk) -> Iterator[Any]:
    """A session that is open now; cancelled afterwards, so that it is nobody else's."""
    made = desk.session()
    yield made
    with tenant_scope(desk.dojo.tenant):
        ClassSession.objects.filter(pk=made.pk).update(status="cancelled")


def shortly_before(now: datetime) -> datetime:
    """Return a start of a session whose check-in is open at `now`."""
    return now - timedelta(minutes=5)
