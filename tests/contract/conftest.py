"""A dojo that is really committed, for what a test's own transaction cannot show: two at once, and two logins."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared_apps.accounts.models import Session, User
from tatami import clock
from tatami.tenancy.scope import platform_scope
from tests.clients import Caller, Dojo, Platform
from tests.committed import committed_dojo
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _own_dns(settings: Any) -> None:
    """Ask nobody else's name servers."""
    settings.TATAMI_RESOLVER = "tests.records.text_records"


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the module write for good, at the fixed present. What it makes, it takes away again."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        yield


@pytest.fixture(scope="module")
def root(committed: None) -> Iterator[Caller]:
    """A superadmin who is really there."""
    caller = Platform().superadmin("root-of-contract@example.com")
    yield caller
    with platform_scope():
        # Not `delete`: it would follow the users' relations into tables that only dojos have.
        mine = User.objects.filter(email="root-of-contract@example.com")
        Session.objects.filter(user__in=mine)._raw_delete("default")
        mine._raw_delete("default")


@pytest.fixture(scope="module")
def real_dojo(committed: None) -> Iterator[Dojo]:
    """A dojo that is really there, purged in the end."""
    with committed_dojo("real", "Real") as dojo:
        yield dojo
