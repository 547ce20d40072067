"""Somebody is erased while mail to her is written: over real connections, in a dojo that is really committed."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import Letter
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.outbox import queue
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student
from tenant_apps.students.notices import Notice
from tests.notifications.mailroom import states, student, written
from tests.support.clients import Dojo
from tests.support.committed import committed_dojo
from tests.support.now import NOW
from tests.support.races import Meanwhile
from tests.support.responses import done


@pytest.fixture(scope="module")
def real_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A dojo whose rows last until the module's end, at the tests' present."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("erasing", "Erasing") as dojo:
        yield dojo


@pytest.fixture
def mika(real_dojo: Dojo, now: Any) -> Iterator[dict[str, Any]]:
    """Somebody of age; nothing was written before the test."""
    yield student(real_dojo, "Mika", email="mika@example.com")
    with tenant_scope(real_dojo.tenant):
        Delivery.objects.all().delete()


def erase(who: dict[str, Any]) -> None:
    """Erase a student in the transaction that is open."""
    personal_data.erase(Student.objects.select_for_update().get(pk=who["id"]), NOW)


def test_who_is_being_erased_is_written_to_no_more(real_dojo: Dojo, mika: dict[str, Any]) -> None:
    ren = student(real_dojo, "Ren", email="ren@example.com")
    assert real_dojo.instructor
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        erase(mika)
        writing = Meanwhile(partial(written, real_dojo, mika, ren))
    assert writing.answer()["total"] == 1
    assert [address for address, _, _ in states(real_dojo)] == ["ren@example.com"]


@pytest.mark.parametrize("author", ["", "admin"])
def test_what_is_being_written_to_whom_somebody_erases_is_blanked(
    real_dojo: Dojo, mika: dict[str, Any], author: str
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
        erasing = Meanwhile(partial(eraser.post, path, body))
    done(erasing.answer(), 204)
    assert states(real_dojo) == [("", "skipped", "forgotten")]


def test_nobody_who_is_written_to_waits_for_a_promotion(real_dojo: Dojo, mika: dict[str, Any]) -> None:
    """Whoever promotes her holds her row as well, and only an erasure must wait."""
    with tenant_scope(real_dojo.tenant), transaction.atomic():
        list(Student.objects.filter(pk=mika["id"]).locked())
        assert Meanwhile(partial(written, real_dojo, mika)).answer()["total"] == 1
