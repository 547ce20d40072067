"""The usage of dojos: counted by a job in the dojo, read from one row in `public`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from config.celery import app
from shared_apps.tenants import usage
from shared_apps.tenants.jobs.job_queue import run_next_job
from shared_apps.tenants.jobs.schedules import enqueue_for_all
from shared_apps.tenants.models import PendingJob, Tenant, TenantExport, TenantUsage
from tatami.jobs import DONE, JobRun, get_job
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, ok


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


def collect(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        assert get_job("tenants.usage")(JobRun(now=NOW)) is DONE


def usage_of(root: Caller, tenant: TenantScope) -> dict[str, Any]:
    return ok(root.get(f"/tenants/{tenant.tenant_id}/usage"))


def test_figures_are_null_before_the_first_count(root: Caller, tenant: TenantScope) -> None:
    nothing = {"active": None, "all": None}
    found = usage_of(root, tenant)
    assert (found["students"], found["bytes"], found["collected_at"]) == (nothing, None, None)


def test_students_attendances_users_and_bytes_are_counted(root: Caller, dojo: Dojo) -> None:
    mika, ren = factories.student(dojo), factories.student(dojo, first_name="Ren")
    factories.student(dojo, first_name="Yui", status="inactive")
    ok(dojo.admin.delete(f"/students/{factories.student(dojo, first_name='Gone')['id']}"), 204)
    old, new = factories.single_session(dojo, "2026-04-06T16:30:00Z"), factories.single_session(dojo)
    for who, session in ((mika, old), (mika, new), (ren, new)):
        factories.attendance(dojo, who, session)
    voided = factories.attendance(dojo, ren, old)
    ok(dojo.admin.post(f"/attendance/{voided['id']}/void", {"reason": "Was not there."}))
    collect(dojo.tenant)
    found = usage_of(root, dojo.tenant)
    assert found["students"] == {"active": 2, "all": 4}
    assert found["attendances"] == {"last_30_days": 2, "all": 3}
    assert found["last_attendance_at"] is not None
    assert found["users"] == 2  # the head instructor, and the admin of the tests
    assert found["bytes"] > 1_000_000
    assert found["collected_at"] == "2026-06-15T16:40:00Z"


def test_each_dojo_is_counted_separately(root: Caller, dojo: Dojo, other_tenant: TenantScope) -> None:
    factories.student(dojo)
    for tenant in (dojo.tenant, other_tenant):
        collect(tenant)
    assert usage_of(root, dojo.tenant)["students"]["all"] == 1
    assert usage_of(root, other_tenant)["students"]["all"] == 0


def test_a_second_count_replaces_the_first(root: Caller, dojo: Dojo) -> None:
    collect(dojo.tenant)
    factories.student(dojo)
    collect(dojo.tenant)
    assert usage_of(root, dojo.tenant)["students"]["all"] == 1
    with platform_scope():
        assert TenantUsage.objects.count() == 1


def test_the_size_is_that_of_the_dojos_tables(tenant: TenantScope, superuser: Any) -> None:
    collect(tenant)
    expected = superuser.execute(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
        [tenant.schema_name],
    ).fetchone()[0]
    with platform_scope():
        assert TenantUsage.objects.get(tenant=tenant.tenant_id).bytes == pytest.approx(int(expected), rel=0.2)


@pytest.fixture
def citus(superuser: Any) -> Iterator[None]:
    """The parts of Citus that say how large a table is on its worker. One table of the dojo `aiki` is distributed.

    Request it before the dojo, so that the transaction of the test is over when they are dropped.
    """
    superuser.execute("SET allow_system_table_mods = on")
    (schema,) = superuser.execute(
        "SELECT schema_name FROM public.tenants_tenant WHERE slug = 'aiki'"
    ).fetchone()
    students = sql.Literal(f'"{schema}".students_student')
    for statement in (
        "CREATE TABLE pg_catalog.pg_dist_partition AS SELECT {}::regclass AS logicalrelid",
        "GRANT SELECT ON pg_catalog.pg_dist_partition TO PUBLIC",
        "CREATE FUNCTION pg_catalog.citus_total_relation_size(regclass, boolean DEFAULT true) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1000000000000::bigint'",
    ):
        superuser.execute(sql.SQL(statement).format(students))
    usage._size_statement.cache_clear()
    yield
    usage._size_statement.cache_clear()
    superuser.execute("DROP FUNCTION pg_catalog.citus_total_relation_size")
    superuser.execute("DROP TABLE pg_catalog.pg_dist_partition")


def test_on_citus_the_size_is_that_on_the_workers(citus: None, tenant: TenantScope) -> None:
    collect(tenant)
    with platform_scope():
        counted = TenantUsage.objects.get(tenant=tenant.tenant_id).bytes
    assert counted is not None
    assert 10**12 < counted < 10**12 + 10**9  # one distributed table, and those on the coordinator


def test_counting_a_dojo_costs_six_statements(tenant: TenantScope) -> None:
    collect(tenant)  # the first time in a process, the server is asked for its functions
    with tenant_scope(tenant), CaptureQueriesContext(connection) as asked:
        usage.collect(now=NOW)
    assert len([one for one in asked if "SAVEPOINT" not in one["sql"]]) == 6


def test_file_bytes_are_those_of_finished_exports(root: Caller, tenant: TenantScope) -> None:
    with platform_scope():
        for status, size in (("done", 1_000), ("done", 2_000), ("failed", None)):
            TenantExport.objects.create(
                tenant_id=tenant.tenant_id, status=status, bytes=size, lease_until=NOW, expires_at=NOW
            )
    collect(tenant)
    assert usage_of(root, tenant)["file_bytes"] == 3_000


def test_the_nightly_job_counts_every_dojo(tenant: TenantScope, root: Caller) -> None:
    kwargs = app.conf.beat_schedule["count what dojos use"]["kwargs"]
    assert kwargs["job"] == usage.JOB
    enqueue_for_all(usage.JOB, now=NOW, spread=timedelta(0))
    for _ in range(2):
        assert run_next_job(now=NOW)
    with platform_scope():
        assert not PendingJob.objects.filter(job=usage.JOB).exists()
        assert set(TenantUsage.objects.values_list("tenant__slug", flat=True)) >= {"aiki", "kendo"}


def test_purging_a_dojo_deletes_its_usage(tenant: TenantScope) -> None:
    collect(tenant)
    with platform_scope():
        Tenant.objects.get(pk=tenant.tenant_id).delete()
        assert not TenantUsage.objects.exists()


def test_only_superadmins_can_read_the_usage(platform: Platform, dojo: Dojo, root: Caller) -> None:
    path = f"/tenants/{dojo.tenant.tenant_id}/usage"
    assert_error(platform.anonymous.get(path), 401, "not_authenticated")
    assert_error(dojo.admin.get(path), 404, "not_found")
    assert_error(root.get(f"/tenants/{factories.unknown_id()}/usage"), 404, "not_found")
