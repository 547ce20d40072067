"""Somebody is erased while mail to her is written: over real connections, in a dojo that is really committed."""

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from time import monotonic, sleep
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connections, transaction

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import Letter
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.outbox import queue
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student
from tenant_apps.students.notices import Notice
from tests.clients import Dojo
from tests.conftest import NOW
from tests.contract.answers import done
from tests.notifications.mailroom import states, student, written
from tests.tenancy.world import superuser_of

PATIENCE: Final = 20.0
"""Seconds."""

_WAITING: Final = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture(scope="module")
def real_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A dojo whose rows last until the module's end, at the tests' present."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        with platform_scope():
            first = provisioning.FirstAdmin(email="first@example.com", password_hash="!")
            tenant, _ = provisioning.create_tenant(
                name="Erasing", slug="erasing", timezone="Europe/Berlin", admin=first, now=NOW
            )
            scope = Tenant.objects.with_primary_domain().get(pk=tenant.pk).scope
        yield Dojo(scope)
        with platform_scope():
            left = Tenant.objects.get(slug="erasing")
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=left, now=clock.now()))
        host_resolver.cache_clear()


@pytest.fixture
def mika(real_dojo: Dojo, now: Any) -> Iterator[dict[str, Any]]:
    """Somebody of age; nothing was written before the test."""
    yield student(real_dojo, "Mika", email="mika@example.com")
    with tenant_scope(real_dojo.tenant):
        Delivery.objects.all().delete()


class Meanwhile:
    """A deed on another connection. Once this is made, the deed waits for a lock, or is done."""

    def __init__(self, database: str, deed: Callable[[], Any]) -> None:
        self.answers: list[Any] = []
        self.thread = threading.Thread(target=copy_context().run, args=(self._do, deed))
        self.thread.start()
        until = monotonic() + PATIENCE
        with superuser_of(database) as superuser:
            while self.thread.is_alive() and not superuser.execute(_WAITING).fetchone():
                assert monotonic() < until
                sleep(0.01)

    @property
    def answer(self) -> Any:
        """Return what the deed returned, when it is done."""
        self.thread.join(PATIENCE)
        return self.answers[0]

    def _do(self, deed: Callable[[], Any]) -> None:
        try:
            self.answers.append(deed())
        finally:
            connections.close_all()


def erase(who: dict[str, Any]) -> None:
    """Erase a student in the transaction that is open."""
    personal_data.erase(Student.objects.select_for_update().get(pk=who["id"]), NOW)


def test_who_is_being_erased_is_written_to_no_more(
    real_dojo: Dojo, mika: dict[str, Any], database_name: str
) -> None:
    ren = student(real_dojo, "Ren", email="ren@example.com")
    assert real_dojo.instructor
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        erase(mika)
        writing = Meanwhile(database_name, partial(written, real_dojo, mika, ren))
    assert writing.answer["total"] == 1
    assert [address for address, _, _ in states(real_dojo)] == ["ren@example.com"]


@pytest.mark.parametrize("author", ["", "admin"])
def test_what_is_being_written_to_whom_somebody_erases_is_blanked(
    real_dojo: Dojo, mika: dict[str, Any], database_name: str, author: str
) -> None:
    """An admin's mail refers to a row that an erasure locks, too: neither waits for the other in a circle."""
    path, body = f"/students/{mika['id']}/erasure", {"confirm": mika["id"]}
    by, eraser = real_dojo.person(author).user if author else None, real_dojo.person("admin", "eraser")
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        queue(
            kind=Kind.FREE,
            letter=Letter("News", "Dear Mika"),
            notices=[Notice(UUID(mika["id"]))],
            settings=DojoSettings.current(),
            is_bulk=True,
            by=by,
        )
        erasing = Meanwhile(database_name, partial(eraser.post, path, body))
    done(erasing.answer, 204)
    assert states(real_dojo) == [("", "skipped", "forgotten")]


def test_nobody_who_is_written_to_waits_for_a_promotion(
    real_dojo: Dojo, mika: dict[str, Any], database_name: str
) -> None:
    """Whoever promotes her holds her row as well, and only an erasure must wait."""
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        list(Student.objects.filter(pk=mika["id"]).locked())
        assert Meanwhile(database_name, partial(written, real_dojo, mika)).answer["total"] == 1
