"""A student is erased while mail about them is queued: on two connections, in a dojo that is really committed."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.models import Delivery, NotificationKind
from tenant_apps.notifications.outbox import queue_notification
from tenant_apps.notifications.templates import MessageText
from tenant_apps.students import privacy
from tenant_apps.students.events import Notice
from tenant_apps.students.models import Student
from tests.notifications.mail_factories import queue_mail, states, student
from tests.support.clients import Dojo
from tests.support.committed import committed_dojo
from tests.support.now import NOW
from tests.support.races import ConcurrentCall
from tests.support.responses import ok


@pytest.fixture(scope="module")
def real_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A committed dojo that lasts for the module, at the fixed present."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("erasing", "Erasing") as dojo:
        yield dojo


@pytest.fixture
def mika(real_dojo: Dojo, now: Any) -> Iterator[dict[str, Any]]:
    """An adult without any deliveries."""
    yield student(real_dojo, "Mika", email="mika@example.com")
    with tenant_scope(real_dojo.tenant):
        Delivery.objects.all().delete()


def erase(who: dict[str, Any]) -> None:
    """Erase a student in the current transaction."""
    privacy.erase(Student.objects.select_for_update().get(pk=who["id"]), NOW)


def test_no_mail_is_queued_for_a_student_who_is_being_erased(real_dojo: Dojo, mika: dict[str, Any]) -> None:
    ren = student(real_dojo, "Ren", email="ren@example.com")
    assert real_dojo.instructor
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        erase(mika)
        writing = ConcurrentCall(partial(queue_mail, real_dojo, mika, ren))
    assert writing.result()["total"] == 1
    assert [address for address, _, _ in states(real_dojo)] == ["ren@example.com"]


@pytest.mark.parametrize("author", ["", "admin"])
def test_mail_queued_before_an_erasure_is_emptied_by_it(
    real_dojo: Dojo, mika: dict[str, Any], author: str
) -> None:
    """The author's row is locked by the erasure as well. The two transactions must not deadlock."""
    path, body = f"/students/{mika['id']}/erasure", {"confirm": mika["id"]}
    by, eraser = real_dojo.person(author).user if author else None, real_dojo.person("admin", "eraser")
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        queue_notification(
            kind=NotificationKind.FREE,
            text=MessageText("News", "Dear Mika"),
            notices=[Notice(UUID(mika["id"]))],
            settings=DojoSettings.current(),
            is_bulk=True,
            by=by,
        )
        erasing = ConcurrentCall(partial(eraser.post, path, body))
    ok(erasing.result(), 204)
    assert states(real_dojo) == [("", "skipped", "forgotten")]


def test_queueing_mail_does_not_wait_for_a_promotion(real_dojo: Dojo, mika: dict[str, Any]) -> None:
    """A promotion locks the student, too. Only an erasure has to wait for queueing."""
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        list(Student.objects.filter(pk=mika["id"]).locked())
        assert ConcurrentCall(partial(queue_mail, real_dojo, mika)).result()["total"] == 1
