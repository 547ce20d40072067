"""Fixtures of the tests of attendance. Some need a committed dojo: concurrent requests cannot share a transaction."""

from collections.abc import Iterator
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import ClassSession
from tests.attendance.factories import CheckInDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.committed import committed_dojo


@pytest.fixture(scope="module")
def check_in_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[CheckInDojo]:
    """A committed dojo at the real present. It is purged after the module."""
    with django_db_blocker.unblock(), committed_dojo("front-desk", "Front Desk") as dojo:
        yield CheckInDojo(dojo)


@pytest.fixture
def session(check_in_dojo: CheckInDojo) -> Iterator[ClassSession]:
    """A session of the committed dojo that is open now. It is cancelled after the test."""
    created = check_in_dojo.session()
    yield created
    with tenant_scope(check_in_dojo.dojo.tenant):
        ClassSession.objects.filter(pk=created.pk).update(status="cancelled")


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    """A student."""
    return factories.student(dojo)


@pytest.fixture
def evening(dojo: Dojo) -> dict[str, Any]:
    """The session of a class that is open now: it began at 18:30, ten minutes ago."""
    return factories.session_today(dojo, factories.training_class(dojo))
