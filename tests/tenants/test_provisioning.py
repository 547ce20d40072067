from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.tenants import lifecycle
from shared_apps.tenants.errors import SlugTaken, WrongState
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, clear_abandoned, create_tenant
from shared_apps.tenants.schemas import lock_key
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.catalogue import strange_schemas
from tests.support.clients import Caller, Platform
from tests.support.committed_dojos import at_once, end_sessions_of_the_owner, erase_dojo
from tests.support.now import NOW

SLUG = "twin"
WITH_PASSWORD = FirstAdmin(email="head@example.com", password_hash="!")


@pytest.fixture
def world(without_transaction: None, superuser: Any, now: Any) -> Iterator[Any]:
    """The superuser, before and after whom there is no dojo `twin`."""
    yield superuser
    connections.close_all()
    erase_dojo(superuser, SLUG)


def make(admin: FirstAdmin = WITH_PASSWORD) -> tuple[Tenant, User]:
    with platform_scope():
        return create_tenant(name="Twin", slug=SLUG, timezone="UTC", admin=admin, now=NOW)


def rows(world: Any) -> list[Any]:
    found: list[Any] = world.execute(
        "SELECT status, schema_name FROM public.tenants_tenant WHERE slug = %s", [SLUG]
    ).fetchall()
    return found


def knock() -> tuple[int, str]:
    host_resolver.cache_clear()
    answer = Caller(f"{SLUG}.localhost").get("/me")
    return answer.status_code, answer.json()["error"]["code"]


def test_a_dojo_that_was_made_serves(world: Any) -> None:
    tenant, admin = make()
    assert knock() == (401, "not_authenticated")
    assert rows(world) == [("active", tenant.schema_name)]
    with tenant_scope(tenant):
        assert list(User.objects.values_list("pk", "role")) == [(admin.pk, "admin")]


def test_of_two_dojos_with_one_slug_at_once_one_is_made(world: Any) -> None:
    answers = at_once([make, make])
    assert sorted(type(answer).__name__ for answer in answers) == ["SlugTaken", "tuple"]
    assert [status for status, _ in rows(world)] == ["active"]
    assert strange_schemas(world) == []


def test_a_slug_that_is_taken_is_refused_and_its_dojo_stays(world: Any) -> None:
    make()
    before = rows(world)
    with pytest.raises(SlugTaken):
        make()
    assert rows(world) == before
    assert knock() == (401, "not_authenticated")


def test_two_superadmins_with_one_slug_get_201_and_409(world: Any) -> None:
    superadmin = Platform().superadmin()
    body = {"name": "Twin", "slug": SLUG, "timezone": "UTC", "admin": {"email": "head@example.com"}}
    answers = at_once([lambda: Caller(superadmin.host, superadmin.token).post("/tenants", body)] * 2)
    assert sorted((a.status_code, a.json().get("error", {}).get("code")) for a in answers) == [
        (201, None),
        (409, "slug_taken"),
    ]


def test_a_failure_in_the_middle_leaves_nothing(world: Any) -> None:
    with pytest.raises(DatabaseError):
        make(FirstAdmin(email="x" * 400 + "@example.com", password_hash="!"))  # longer than its column
    assert rows(world) == []
    assert strange_schemas(world) == []
    make()  # and the slug is free


def test_an_interruption_in_the_middle_leaves_nothing(world: Any) -> None:
    def interrupt(execute: Any, statement: str, *more: Any) -> Any:
        if 'INSERT INTO "accounts_user"' in statement:
            raise KeyboardInterrupt
        return execute(statement, *more)

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt):
        make()
    assert rows(world) == []
    assert strange_schemas(world) == []


def killed_in_the_middle(world: Any) -> Tenant:
    """Leave behind what a killed process leaves: the row, and perhaps the schema."""
    tenant, _ = make()
    world.execute("UPDATE public.tenants_tenant SET status = 'provisioning' WHERE id = %s", [tenant.pk])
    return tenant


def test_a_dojo_in_the_making_does_not_serve(world: Any) -> None:
    killed_in_the_middle(world)
    assert knock() == (404, "tenant_not_found")


def test_a_dojo_that_is_being_deleted_does_not_serve(world: Any) -> None:
    tenant, _ = make()
    with platform_scope():
        lifecycle.delete_tenant(tenant=tenant, now=NOW)
    assert knock() == (404, "tenant_not_found")


def test_a_dojo_that_was_abandoned_is_cleared(world: Any) -> None:
    killed_in_the_middle(world)
    assert clear_abandoned() == 1
    assert rows(world) == []
    assert strange_schemas(world) == []


def test_a_dojo_still_in_the_making_is_not_cleared(world: Any) -> None:
    tenant = killed_in_the_middle(world)
    world.execute("SELECT pg_advisory_lock(%s)", [lock_key(tenant.pk)])
    try:
        assert clear_abandoned() == 0
    finally:
        world.execute("SELECT pg_advisory_unlock(%s)", [lock_key(tenant.pk)])
    assert [status for status, _ in rows(world)] == ["provisioning"]
    assert clear_abandoned() == 1


def test_a_dojo_is_not_cleared_while_it_is_being_made(world: Any) -> None:
    cleared: list[Any] = []

    def clear_meanwhile(execute: Any, statement: str, *more: Any) -> Any:
        if 'INSERT INTO "accounts_user"' in statement and not cleared:
            cleared.extend(at_once([clear_abandoned]))
        return execute(statement, *more)

    with connection.execute_wrapper(clear_meanwhile):
        make()
    assert cleared == [0]
    assert [status for status, _ in rows(world)] == ["active"]


def test_a_dojo_that_serves_is_promised_although_the_lock_was_lost(world: Any) -> None:
    """With the owner's session, which nothing needs any more when the dojo is active."""

    def lose_the_lock(execute: Any, statement: str, *more: Any) -> Any:
        if "pg_advisory_unlock" in statement:
            end_sessions_of_the_owner(world)
        return execute(statement, *more)

    with connections["owner"].execute_wrapper(lose_the_lock):
        make()
    assert [status for status, _ in rows(world)] == ["active"]
    assert clear_abandoned() == 0
    assert knock() == (401, "not_authenticated")


def test_dojos_that_serve_are_never_cleared(world: Any, north: TenantScope) -> None:
    with clock.fixed(NOW - timedelta(days=400)):
        make()
    assert clear_abandoned() == 0
    assert [status for status, _ in rows(world)] == ["active"]


def test_clearing_twice_at_once_is_harmless(world: Any) -> None:
    killed_in_the_middle(world)
    answers = at_once([clear_abandoned] * 2)
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert rows(world) == []


def test_only_a_dojo_that_is_being_deleted_can_be_purged(world: Any) -> None:
    tenant, _ = make()
    with pytest.raises(WrongState), platform_scope():
        lifecycle.purge(tenant=tenant)
    assert [status for status, _ in rows(world)] == ["active"]


def test_purging_takes_schema_and_row(world: Any) -> None:
    tenant, _ = make()
    with platform_scope():
        lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=NOW))
    assert rows(world) == []
    assert world.execute("SELECT to_regnamespace(%s)", [tenant.schema_name]).fetchone() == (None,)


def test_a_first_admin_without_a_password_is_mailed_a_link(world: Any, mailoutbox: list[Any]) -> None:
    tenant, admin = make(FirstAdmin(email="head@example.com"))
    (mail,) = mailoutbox
    assert mail.to == ["head@example.com"]
    assert f"http://{SLUG}.localhost" in mail.body
    with tenant_scope(tenant):
        assert PasswordLink.objects.get().user_id == admin.pk
        assert not User.objects.get().has_usable_password()
