"""Creating a dojo, also when it fails, is interrupted or runs twice at the same time."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from psycopg import sql

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.tenants import lifecycle
from shared_apps.tenants.errors import SlugTaken, WrongState
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant, remove_incomplete_tenants
from shared_apps.tenants.schema.ddl import lock_key
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.catalogue import unknown_schemas
from tests.support.clients import Caller, Platform
from tests.support.committed import erase_dojo, terminate_owner_sessions
from tests.support.now import NOW
from tests.support.password_mail import send_waiting_password_mails
from tests.support.races import run_concurrently

SLUG = "twin"
WITH_PASSWORD = FirstAdmin(email="head@example.com", password_hash="!")


@pytest.fixture
def database(without_transaction: None, superuser: Any, now: Any) -> Iterator[Any]:
    """The superuser. Afterwards, the dojo `twin` is removed."""
    yield superuser
    connections.close_all()
    erase_dojo(superuser, SLUG)


def create(admin: FirstAdmin = WITH_PASSWORD) -> tuple[Tenant, User]:
    with platform_scope():
        return create_tenant(name="Twin", slug=SLUG, timezone="UTC", admin=admin, now=NOW)


def tenant_rows(database: Any) -> list[Any]:
    found: list[Any] = database.execute(
        "SELECT status, schema_name FROM public.tenants_tenant WHERE slug = %s", [SLUG]
    ).fetchall()
    return found


def request_me() -> tuple[int, str]:
    host_resolver.cache_clear()
    answer = Caller(f"{SLUG}.localhost").get("/me")
    return answer.status_code, answer.json()["error"]["code"]


def test_a_created_dojo_is_served(database: Any) -> None:
    tenant, admin = create()
    assert request_me() == (401, "not_authenticated")
    assert tenant_rows(database) == [("active", tenant.schema_name)]
    with tenant_scope(tenant):
        assert list(User.objects.values_list("pk", "role")) == [(admin.pk, "admin")]


def test_only_one_of_two_concurrent_creations_with_one_slug_succeeds(database: Any) -> None:
    answers = run_concurrently([create, create])
    assert sorted(type(answer).__name__ for answer in answers) == ["SlugTaken", "tuple"]
    assert [status for status, _ in tenant_rows(database)] == ["active"]
    assert unknown_schemas(database) == []


def test_a_taken_slug_is_refused_and_its_dojo_is_unchanged(database: Any) -> None:
    create()
    before = tenant_rows(database)
    with pytest.raises(SlugTaken):
        create()
    assert tenant_rows(database) == before
    assert request_me() == (401, "not_authenticated")


def test_concurrent_requests_with_one_slug_get_201_and_409(database: Any) -> None:
    superadmin = Platform().superadmin()
    body = {"name": "Twin", "slug": SLUG, "timezone": "UTC", "admin": {"email": "head@example.com"}}
    answers = run_concurrently([lambda: Caller(superadmin.host, superadmin.token).post("/tenants", body)] * 2)
    assert sorted((a.status_code, a.json().get("error", {}).get("code")) for a in answers) == [
        (201, None),
        (409, "slug_taken"),
    ]


def test_a_failed_creation_leaves_nothing(database: Any) -> None:
    with pytest.raises(DatabaseError):
        create(FirstAdmin(email="x" * 400 + "@example.com", password_hash="!"))  # longer than the column
    assert tenant_rows(database) == []
    assert unknown_schemas(database) == []
    create()  # the slug is free again


def test_an_owner_without_its_privilege_is_a_fault_of_the_installation(
    database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    superadmin = Platform().superadmin()
    body = {"name": "Twin", "slug": SLUG, "timezone": "UTC", "admin": {"email": "head@example.com"}}
    name, owner = (sql.Identifier(connections["owner"].settings_dict[key]) for key in ("NAME", "USER"))
    database.execute(sql.SQL("REVOKE CREATE ON DATABASE {} FROM {}").format(name, owner))
    try:
        answer = Caller(superadmin.host, superadmin.token).post("/tenants", body)
    finally:
        database.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(name, owner))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "server_error")
    events = [record.msg["event"] for record in caplog.records if record.levelname == "ERROR"]
    assert events == ["unhandled_exception", "request"]
    assert tenant_rows(database) == []


def test_an_interrupted_creation_leaves_nothing(database: Any) -> None:
    def interrupt(execute: Any, statement: str, *more: Any) -> Any:
        if 'INSERT INTO "accounts_user"' in statement:
            raise KeyboardInterrupt
        return execute(statement, *more)

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt):
        create()
    assert tenant_rows(database) == []
    assert unknown_schemas(database) == []


def leave_unfinished(database: Any) -> Tenant:
    """Leave what a killed process leaves: the row and the schema."""
    tenant, _ = create()
    database.execute("UPDATE public.tenants_tenant SET status = 'provisioning' WHERE id = %s", [tenant.pk])
    return tenant


def test_a_dojo_that_is_being_created_is_not_served(database: Any) -> None:
    leave_unfinished(database)
    assert request_me() == (404, "tenant_not_found")


def test_a_deleted_dojo_is_not_served(database: Any) -> None:
    tenant, _ = create()
    with platform_scope():
        lifecycle.delete_tenant(tenant=tenant, now=NOW)
    assert request_me() == (404, "tenant_not_found")


def test_an_abandoned_creation_is_cleared(database: Any) -> None:
    leave_unfinished(database)
    assert remove_incomplete_tenants() == 1
    assert tenant_rows(database) == []
    assert unknown_schemas(database) == []


def test_a_creation_whose_lock_is_held_is_not_cleared(database: Any) -> None:
    tenant = leave_unfinished(database)
    database.execute("SELECT pg_advisory_lock(%s)", [lock_key(tenant.pk)])
    try:
        assert remove_incomplete_tenants() == 0
    finally:
        database.execute("SELECT pg_advisory_unlock(%s)", [lock_key(tenant.pk)])
    assert [status for status, _ in tenant_rows(database)] == ["provisioning"]
    assert remove_incomplete_tenants() == 1


def test_a_running_creation_is_not_cleared(database: Any) -> None:
    cleared: list[Any] = []

    def clear_during_creation(execute: Any, statement: str, *more: Any) -> Any:
        if 'INSERT INTO "accounts_user"' in statement and not cleared:
            cleared.extend(run_concurrently([remove_incomplete_tenants]))
        return execute(statement, *more)

    with connection.execute_wrapper(clear_during_creation):
        create()
    assert cleared == [0]
    assert [status for status, _ in tenant_rows(database)] == ["active"]


def test_a_creation_succeeds_if_the_lock_is_lost_after_the_activation(database: Any) -> None:
    """The lock ends with the owner's session, which is not needed any more when the dojo is active."""

    def lose_the_lock(execute: Any, statement: str, *more: Any) -> Any:
        if "pg_advisory_unlock" in statement:
            terminate_owner_sessions(database)
        return execute(statement, *more)

    with connections["owner"].execute_wrapper(lose_the_lock):
        create()
    assert [status for status, _ in tenant_rows(database)] == ["active"]
    assert remove_incomplete_tenants() == 0
    assert request_me() == (401, "not_authenticated")


def test_active_dojos_are_never_cleared(database: Any, north: TenantScope) -> None:
    with clock.fixed(NOW - timedelta(days=400)):
        create()
    assert remove_incomplete_tenants() == 0
    assert [status for status, _ in tenant_rows(database)] == ["active"]


def test_concurrent_clearing_is_safe(database: Any) -> None:
    leave_unfinished(database)
    answers = run_concurrently([remove_incomplete_tenants] * 2)
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert tenant_rows(database) == []


def test_only_a_deleted_dojo_can_be_purged(database: Any) -> None:
    tenant, _ = create()
    with pytest.raises(WrongState), platform_scope():
        lifecycle.purge(tenant=tenant)
    assert [status for status, _ in tenant_rows(database)] == ["active"]


def test_purging_removes_the_schema_and_the_row(database: Any) -> None:
    tenant, _ = create()
    with platform_scope():
        lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=NOW))
    assert tenant_rows(database) == []
    assert database.execute("SELECT to_regnamespace(%s)", [tenant.schema_name]).fetchone() == (None,)


def test_a_first_admin_without_a_password_is_mailed_a_link(database: Any, mailoutbox: list[Any]) -> None:
    tenant, admin = create(FirstAdmin(email="head@example.com"))
    send_waiting_password_mails(tenant.scope)
    (mail,) = mailoutbox
    assert mail.to == ["head@example.com"]
    assert f"http://{SLUG}.localhost" in mail.body
    with tenant_scope(tenant):
        assert PasswordLink.objects.get().user_id == admin.pk
        assert not User.objects.get().has_usable_password()
