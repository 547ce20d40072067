"""Changing one's own name, without undoing what others change at the same time."""

from datetime import datetime
from typing import Any

from django.db import transaction

from shared_apps.accounts import users
from shared_apps.accounts.models import User
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.accounts.race_hooks import run_after_statement
from tests.support.clients import Dojo
from tests.support.races import ConcurrentCall
from tests.support.responses import assert_error, ok

AUTHENTICATION_STATEMENT = "accounts_session"
"""A text that only the statement which authenticates the caller contains."""


def rename(dojo: Dojo, name: str = "Yui Mori") -> Any:
    return dojo.student.patch("/me", {"name": name})


def row(dojo: Dojo) -> User:
    assert dojo.student.user is not None
    with tenant_scope(dojo.tenant):
        return User.objects.get(pk=dojo.student.user.pk)


def test_a_concurrent_change_of_other_fields_is_kept(dojo: Dojo) -> None:
    before = row(dojo)

    def promote() -> None:
        User.objects.filter(pk=before.pk).update(role="assistant", password="new", email="new@example.com")

    with run_after_statement(AUTHENTICATION_STATEMENT, promote):
        shown = ok(rename(dojo))
    assert (shown["name"], shown["role"], shown["email"]) == ("Yui Mori", "assistant", "new@example.com")
    now = row(dojo)
    assert (now.role, now.password, now.search_name) == ("assistant", "new", "yui mori new@example.com")


def test_a_user_deactivated_during_the_request_is_refused(dojo: Dojo) -> None:
    mine = User.objects.filter(pk=row(dojo).pk)
    with run_after_statement(AUTHENTICATION_STATEMENT, lambda: mine.update(is_active=False)):
        assert_error(rename(dojo), 401, "token_invalid")


def test_a_user_erased_during_the_request_stays_erased(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    caller = Dojo(north).person("student")
    mine = User.objects.filter(pk=caller.user.pk)  # type: ignore[union-attr]
    with tenant_scope(north), transaction.atomic():
        users.erase_users(mine, now=now)
        renaming = ConcurrentCall(lambda: caller.patch("/me", {"name": "Yui"}))
    assert_error(renaming.result(), 401, "token_invalid")
    with tenant_scope(north):
        gone = mine.get()
    assert (gone.name, gone.email, gone.search_name, gone.is_active) == (
        "Erased user",
        "",
        "erased user",
        False,
    )


def test_renaming_waits_for_an_uncommitted_change_of_role(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    dojo = Dojo(north)
    caller = dojo.person("instructor")
    with tenant_scope(north), transaction.atomic():
        User.objects.filter(email="instructor@example.com").update(role="student")
        renaming = ConcurrentCall(lambda: caller.patch("/me", {"name": "Yui"}))
    assert ok(renaming.result())["role"] == "student"
    with tenant_scope(north):
        assert User.objects.get(email="instructor@example.com").role == "student"


def test_a_body_without_a_name_changes_nothing(dojo: Dojo) -> None:
    before = row(dojo)
    assert ok(dojo.student.patch("/me", {}))["name"] == before.name
    assert row(dojo).updated_at == before.updated_at
