import queue
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import connections, transaction

from config.celery import app
from shared_apps.accounts.models import AttemptCount
from shared_apps.tenants.models import Tenant
from tatami.ids import uuid7
from tatami.tasks import TENANT_HEADER, PlatformTask, TenantTask, TenantUnavailable, tenant_of_task
from tatami.tenancy.scope import NoScope, Scope, TenantScope, current_scope, platform_scope, tenant_scope
from tests.conftest import NOW

PATIENCE: Final = 15.0
"""Seconds that a worker has to answer."""

heard: "queue.Queue[tuple[str, Scope | None]]" = queue.Queue()


NOBODY = "01a20586-c208-7734-9211-4c1b149fba5b"
"""The id of no dojo."""


@app.task(base=TenantTask, name="tests.say_where")
def say_where(word: str) -> None:
    """Write a row, and say in which scope it was."""
    AttemptCount.objects.create(key_hash=word.encode(), window_started_at=NOW, count=1)
    heard.put((word, current_scope()))


@app.task(base=TenantTask, name="tests.say_where_again", bind=True, max_retries=1)
def say_where_again(self: Any, word: str) -> None:
    """Say in which scope it is, once more on a second try."""
    heard.put((f"{word} {self.request.retries}", current_scope()))
    if not self.request.retries:
        raise self.retry(countdown=0)


@app.task(base=PlatformTask, name="tests.say_platform")
def say_platform(word: str) -> None:
    """Say in which scope it is."""
    Tenant.objects.count()
    heard.put((word, current_scope()))


@pytest.fixture(autouse=True)
def nothing_heard() -> Iterator[None]:
    """Begin in silence, and end in it."""
    while not heard.empty():
        heard.get_nowait()
    yield
    assert heard.empty()


def scopes_heard() -> dict[str, UUID | None]:
    found = {}
    while not heard.empty():
        word, scope = heard.get_nowait()
        found[word] = scope.tenant_id if scope else None
    return found


@pytest.fixture
def eager() -> Iterator[None]:
    """Run tasks where they are called, as a worker would, and raise what they raise."""
    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager, app.conf.task_eager_propagates = before


# --- the dojo is captured at the call -----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["delay", "apply_async", "delay_on_commit"])
def test_a_task_cannot_be_called_outside_a_scope(db: None, call: str) -> None:
    with pytest.raises(NoScope):
        getattr(say_where, call)(*([["a"]] if call == "apply_async" else ["a"]))


def test_a_task_of_a_dojo_cannot_be_called_on_the_platform(db: None) -> None:
    with platform_scope(), pytest.raises(NoScope):
        say_where.delay("a")


def test_a_task_runs_in_the_dojo_it_was_called_in(
    eager: None, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    for dojo in (tenant, other_tenant):
        with tenant_scope(dojo):
            say_where.delay(dojo.slug)
    assert scopes_heard() == {"aiki": tenant.tenant_id, "kendo": other_tenant.tenant_id}


def test_a_task_for_the_commit_runs_in_the_dojo_it_was_called_in(eager: None, north: TenantScope) -> None:
    with tenant_scope(north):
        with transaction.atomic():
            say_where.delay_on_commit("a")
            assert heard.empty()
        assert scopes_heard() == {"a": north.tenant_id}


def test_a_task_for_the_commit_keeps_its_dojo_when_the_commit_is_outside_any(
    eager: None, north: TenantScope
) -> None:
    with transaction.atomic(), tenant_scope(north):
        say_where.delay_on_commit("a")
    assert scopes_heard() == {"a": north.tenant_id}


def test_a_task_for_the_commit_keeps_its_dojo_when_the_commit_is_on_the_platform(
    tenant: TenantScope, eager: None, django_capture_on_commit_callbacks: Any
) -> None:
    with platform_scope(), django_capture_on_commit_callbacks(execute=True), tenant_scope(tenant):
        say_where.delay_on_commit("a")
    assert scopes_heard() == {"a": tenant.tenant_id}


def test_a_task_for_the_commit_keeps_its_dojo_when_the_commit_is_in_another(
    tenant: TenantScope, other_tenant: TenantScope, eager: None, django_capture_on_commit_callbacks: Any
) -> None:
    with tenant_scope(other_tenant), django_capture_on_commit_callbacks(execute=True), tenant_scope(tenant):
        say_where.delay_on_commit("a")
    assert scopes_heard() == {"a": tenant.tenant_id}


def test_a_task_for_a_commit_that_never_comes_does_not_run(eager: None, north: TenantScope) -> None:
    with tenant_scope(north), pytest.raises(KeyError), transaction.atomic():
        say_where.delay_on_commit("a")
        raise KeyError
    assert heard.empty()


# --- a task without a dojo that serves does not run ---------------------------------------------------------


def called_for(header: Any) -> Any:
    return say_where.apply(["a"], headers={TENANT_HEADER: header}, throw=True)


@pytest.mark.parametrize("header", [None, "", "aiki", "t_1", 7, str(UUID(int=0)), NOBODY, "*"], ids=str)
def test_a_task_that_names_no_known_dojo_does_not_run(db: None, header: Any) -> None:
    with pytest.raises(TenantUnavailable):
        called_for(header)
    assert heard.empty()


@pytest.mark.parametrize("header", [None, NOBODY], ids=["none", "unknown"])
def test_a_task_does_not_fall_back_to_the_scope_it_runs_in(tenant: TenantScope, header: str | None) -> None:
    with tenant_scope(tenant), pytest.raises(TenantUnavailable):
        called_for(header)
    assert heard.empty()


@pytest.mark.parametrize("status", ["provisioning", "suspended", "deleting"])
def test_a_task_of_a_dojo_that_does_not_serve_does_not_run(tenant: TenantScope, status: str) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    with pytest.raises(TenantUnavailable, match=status):
        called_for(str(tenant.tenant_id))
    assert heard.empty()


def test_a_task_of_a_dojo_that_serves_runs(tenant: TenantScope) -> None:
    called_for(str(tenant.tenant_id))
    assert scopes_heard() == {"a": tenant.tenant_id}
    assert current_scope() is None


def test_a_task_sees_the_dojo_as_it_is_now(tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(name="Renamed")
    found = tenant_of_task(str(tenant.tenant_id))
    assert (found, found.name) == (tenant, "Renamed")


def test_a_task_of_the_platform_runs_on_the_platform(eager: None, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        say_platform.delay("a")
    assert scopes_heard() == {"a": UUID(int=0)}


# --- a real worker, over the real Valkey --------------------------------------------------------------------


@pytest.fixture
def worker(without_transaction: None) -> Iterator[str]:
    """A worker in a thread of its own; return the name of its queue."""
    name = f"test-{uuid7()}"
    with start_worker(app, pool="solo", queues=[name], perform_ping_check=False, shutdown_timeout=PATIENCE):
        yield name
        connections.close_all()


def listen(times: int) -> dict[str, UUID | None]:
    said = [heard.get(timeout=PATIENCE) for _ in range(times)]
    return {word: scope.tenant_id if scope else None for word, scope in said}


def test_a_worker_does_a_dojos_work_in_its_scope(worker: str, north: TenantScope, south: TenantScope) -> None:
    for dojo in (north, south):
        with tenant_scope(dojo):
            say_where.apply_async([dojo.slug], queue=worker)
    assert listen(2) == {"north": north.tenant_id, "south": south.tenant_id}
    for dojo in (north, south):
        with tenant_scope(dojo):
            row = AttemptCount.objects.get()
            assert (bytes(row.key_hash).decode(), row.tenant_id) == (dojo.slug, dojo.tenant_id)


def test_a_worker_tries_again_in_the_same_dojo(worker: str, north: TenantScope) -> None:
    with tenant_scope(north):
        say_where_again.apply_async(["try"], queue=worker)
    assert listen(2) == {"try 0": north.tenant_id, "try 1": north.tenant_id}


def test_a_worker_does_not_do_the_work_of_nobody(worker: str, north: TenantScope) -> None:
    app.send_task("tests.say_where", ["nobody's"], queue=worker)
    app.send_task("tests.say_where", ["unknown"], queue=worker, headers={TENANT_HEADER: str(uuid7())})
    with tenant_scope(north):
        say_where.apply_async(["north's"], queue=worker)
    assert listen(1) == {"north's": north.tenant_id}
    with platform_scope():
        assert not AttemptCount.objects.exists()


def test_work_queued_before_a_suspension_is_not_done_after_it(
    worker: str, north: TenantScope, south: TenantScope, superuser: Any
) -> None:
    status = "UPDATE public.tenants_tenant SET status = %s WHERE slug = 'north'"
    superuser.execute(status, ["suspended"])
    try:
        for dojo in (north, south):
            with tenant_scope(dojo):
                say_where.apply_async([dojo.slug], queue=worker)
        assert listen(1) == {"south": south.tenant_id}
    finally:
        superuser.execute(status, ["active"])
    with tenant_scope(north):
        assert not AttemptCount.objects.exists()
