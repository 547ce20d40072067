"""Changing one's own name, and nothing that others change at the same moment."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction

from shared_apps.accounts import users
from shared_apps.accounts.models import User
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.accounts.meanwhile import after
from tests.support.clients import Dojo
from tests.support.races import Meanwhile
from tests.support.responses import done, refusal

AUTHENTICATION = "accounts_session"
"""What only the statement that finds the caller has in it."""


@pytest.fixture(autouse=True)
def _quick_passwords(hashings: Callable[[], int]) -> None:
    """Hash passwords quickly: how slow they are is not what is tested here."""


def rename(dojo: Dojo, name: str = "Yui Mori") -> Any:
    return dojo.student.patch("/me", {"name": name})


def row(dojo: Dojo) -> User:
    assert dojo.student.user is not None
    with tenant_scope(dojo.tenant):
        return User.objects.get(pk=dojo.student.user.pk)


def test_what_others_changed_meanwhile_stays(dojo: Dojo) -> None:
    before = row(dojo)

    def promote() -> None:
        User.objects.filter(pk=before.pk).update(role="assistant", password="new", email="new@example.com")

    with after(AUTHENTICATION, promote):
        shown = done(rename(dojo))
    assert (shown["name"], shown["role"], shown["email"]) == ("Yui Mori", "assistant", "new@example.com")
    now = row(dojo)
    assert (now.role, now.password, now.search_name) == ("assistant", "new", "yui mori new@example.com")


def test_who_is_deactivated_meanwhile_is_refused(dojo: Dojo) -> None:
    mine = User.objects.filter(pk=row(dojo).pk)
    with after(AUTHENTICATION, lambda: mine.update(is_active=False)):
        refusal(rename(dojo), 401, "token_invalid")


def test_who_is_erased_meanwhile_stays_erased(north: TenantScope, now: datetime, superuser: Any) -> None:
    caller = Dojo(north).person("student")
    mine = User.objects.filter(pk=caller.user.pk)  # type: ignore[union-attr]
    with tenant_scope(north), transaction.atomic():
        users.erase_users(mine, now=now)
        renaming = Meanwhile(lambda: caller.patch("/me", {"name": "Yui"}))
    refusal(renaming.answer(), 401, "token_invalid")
    with tenant_scope(north):
        gone = mine.get()
    assert (gone.name, gone.email, gone.search_name, gone.is_active) == (
        "Erased user",
        "",
        "erased user",
        False,
    )


def test_a_demotion_that_is_not_committed_yet_is_waited_for(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    dojo = Dojo(north)
    caller = dojo.person("instructor")
    with tenant_scope(north), transaction.atomic():
        User.objects.filter(email="instructor@example.com").update(role="student")
        renaming = Meanwhile(lambda: caller.patch("/me", {"name": "Yui"}))
    assert done(renaming.answer())["role"] == "student"
    with tenant_scope(north):
        assert User.objects.get(email="instructor@example.com").role == "student"


def test_a_body_without_a_name_changes_nothing(dojo: Dojo) -> None:
    before = row(dojo)
    assert done(dojo.student.patch("/me", {}))["name"] == before.name
    assert row(dojo).updated_at == before.updated_at
