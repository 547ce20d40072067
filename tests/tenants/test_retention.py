"""What is kept for a while only: the same list for the nightly jobs and for `manage.py sweep`."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.utils.module_loading import autodiscover_modules

from shared_apps.accounts.models import IdempotentAnswer, PasswordLink, Session
from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Tenant
from tatami.ids import uuid7
from tatami.retention import IN_DOJOS, ON_THE_PLATFORM, kinds
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.work import Turn, job_named
from tenant_apps.attendance.models import Refusal
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW

Sweep = Callable[..., Any]


@pytest.fixture
def sweep(now: Any, db: None) -> Sweep:
    """Run the command; return what it says, as JSON unless it is to say it to a person."""

    def run(*arguments: str, for_a_person: bool = False) -> Any:
        said = StringIO()
        with platform_scope():
            call_command("sweep", *arguments, *([] if for_a_person else ["--json"]), stdout=said)
        return said.getvalue() if for_a_person else orjson.loads(said.getvalue())

    return run


@pytest.fixture
def refused(dojo: Dojo) -> None:
    """A refused scan that is a day too old, and one that is not."""
    with tenant_scope(dojo.tenant):
        for days in (181, 179):
            at = NOW - timedelta(days=days)
            Refusal.objects.create(scanned_at=at, created_at=at, code="qr_invalid")


def found(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], int]:
    return {(row["dojo"], row["kind"]): row["found"] for row in rows if row["found"]}


def test_a_dry_run_says_what_the_real_one_removes(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    expected = {(tenant.slug, "attendance.refusals"): 1}
    assert found(sweep("--dry-run", "--dojo", tenant.slug)) == expected
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 2
    assert found(sweep("--dojo", tenant.slug)) == expected
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 1
    assert found(sweep("--dojo", tenant.slug)) == {}


def test_the_job_removes_what_the_dry_run_says(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    assert found(sweep("--dry-run", "--dojo", tenant.slug))
    with tenant_scope(tenant):
        job_named("attendance.sweep")(Turn(now=NOW))
        assert Refusal.objects.count() == 1
    assert found(sweep("--dry-run", "--dojo", tenant.slug)) == {}


def test_the_setting_decides(sweep: Sweep, refused: None, tenant: TenantScope, settings: Any) -> None:
    settings.TATAMI_REFUSAL_DAYS = 178
    assert found(sweep("--dry-run", "--dojo", tenant.slug)) == {(tenant.slug, "attendance.refusals"): 2}


def test_other_dojos_are_left_alone(
    sweep: Sweep, refused: None, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    assert found(sweep("--dojo", other_tenant.slug)) == {}
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 2


def test_dojos_without_nightly_jobs_are_passed_over(
    sweep: Sweep, refused: None, tenant: TenantScope, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is suspended, and one that is too far behind this code, which is named."""
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="suspended")
    assert (tenant.slug, "attendance.refusals") not in found(sweep("--dry-run"))
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="active", schema_version="")
    assert (tenant.slug, "attendance.refusals") not in found(sweep("--dry-run"))
    assert f"{tenant.slug} is too far behind" in capsys.readouterr().err


def test_sign_in_leftovers_are_swept_on_the_platform_as_well(sweep: Sweep, platform: Platform) -> None:
    root = platform.superadmin()
    assert root.user is not None
    with platform_scope():
        Session.objects.update(expires_at=NOW - timedelta(days=31))
        PasswordLink.objects.create(
            user=root.user, secret_hash=b"x" * 32, expires_at=NOW - timedelta(days=31)
        )
        sessions = Session.objects.count()
    here = {kind: rows for (dojo, kind), rows in found(sweep("--dry-run")).items() if dojo is None}
    assert here["accounts.sessions"] == sessions
    assert here["accounts.password_links"] == 1


@pytest.mark.django_db(databases=["default", "owner"])
def test_deleted_and_abandoned_dojos_are_counted(
    sweep: Sweep, platform: Platform, tenant: TenantScope
) -> None:
    with platform_scope():
        long_ago = NOW - timedelta(days=31)
        lifecycle.delete_tenant(tenant=Tenant(pk=tenant.tenant_id), now=long_ago)
        left = uuid7()
        Tenant.objects.create(id=left, schema_name=f"t_{left.hex}", slug="left", name="Left", timezone="UTC")
    here = found(sweep("--dry-run"))
    assert here[None, "tenants.deleted_dojos"] == 1
    assert here[None, "tenants.abandoned_dojos"] == 1
    with platform_scope():
        assert Tenant.objects.filter(pk__in=[left, tenant.tenant_id]).count() == 2


def test_a_person_is_told_in_a_line_each(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    said = sweep("--dry-run", "--dojo", tenant.slug, for_a_person=True)
    assert said.splitlines()[-1] == "1 would be removed"
    assert "attendance.refusals" in said
    assert "kept 180 days" in said


def test_a_dojo_that_is_not_there_is_an_error(sweep: Sweep) -> None:
    with pytest.raises(CommandError, match="no dojo"):
        sweep("--dojo", "nowhere")


def test_every_kind_is_known(db: None) -> None:
    autodiscover_modules("tasks")
    assert {one.kind for one in kinds(ON_THE_PLATFORM)} >= {
        "accounts.attempt_counts",
        "accounts.idempotent_answers",
        "accounts.password_links",
        "accounts.sessions",
        "tenants.abandoned_dojos",
        "tenants.deleted_dojos",
        "tenants.exports",
    }
    assert {one.kind for one in kinds(IN_DOJOS)} >= {
        "accounts.sessions",
        "attendance.refusals",
        "attendance.scan_answers",
        "promotions.check_batches",
    }


def test_answers_under_a_key_are_kept_as_long_as_they_are_replayed(dojo: Dojo) -> None:
    from tatami.api.idempotency import REPLAY_WINDOW

    (answers,) = (one for one in kinds(IN_DOJOS) if one.kind == "accounts.idempotent_answers")
    assert answers.time >= REPLAY_WINDOW
    assert IdempotentAnswer._meta.label
