"""Data that are kept for a limited time: the nightly jobs and `manage.py sweep` use the same rules."""

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
from tatami.jobs import JobRun, get_job
from tatami.retention import IN_DOJOS, ON_THE_PLATFORM, rules_for
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.attendance.models import Refusal
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW

Sweep = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def _tasks_loaded() -> None:
    """Load the modules that declare what is kept, as workers do."""
    autodiscover_modules("tasks")


@pytest.fixture
def sweep(now: Any, db: None) -> Sweep:
    """Run the command; return its output as JSON or, with `as_text`, as text."""

    def run(*arguments: str, as_text: bool = False) -> Any:
        output = StringIO()
        with platform_scope():
            call_command("sweep", *arguments, *([] if as_text else ["--json"]), stdout=output)
        return output.getvalue() if as_text else orjson.loads(output.getvalue())

    return run


@pytest.fixture
def refused(dojo: Dojo) -> None:
    """A refused scan that is one day too old, and one that is not."""
    with tenant_scope(dojo.tenant):
        for days in (181, 179):
            at = NOW - timedelta(days=days)
            Refusal.objects.create(scanned_at=at, created_at=at, code="qr_invalid")


def counts_by_kind(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], int]:
    return {(row["dojo"], row["kind"]): row["found"] for row in rows if row["found"]}


def test_a_dry_run_counts_what_the_sweep_removes(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    expected = {(tenant.slug, "attendance.refusals"): 1}
    assert counts_by_kind(sweep("--dry-run", "--dojo", tenant.slug)) == expected
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 2
    assert counts_by_kind(sweep("--dojo", tenant.slug)) == expected
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 1
    assert counts_by_kind(sweep("--dojo", tenant.slug)) == {}


def test_the_job_removes_what_the_dry_run_counts(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    assert counts_by_kind(sweep("--dry-run", "--dojo", tenant.slug))
    with tenant_scope(tenant):
        get_job("attendance.sweep")(JobRun(now=NOW))
        assert Refusal.objects.count() == 1
    assert counts_by_kind(sweep("--dry-run", "--dojo", tenant.slug)) == {}


def test_the_setting_decides_how_long_rows_are_kept(
    sweep: Sweep, refused: None, tenant: TenantScope, settings: Any
) -> None:
    settings.TATAMI_REFUSAL_DAYS = 178
    assert counts_by_kind(sweep("--dry-run", "--dojo", tenant.slug)) == {
        (tenant.slug, "attendance.refusals"): 2
    }


def test_a_sweep_of_one_dojo_does_not_change_others(
    sweep: Sweep, refused: None, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    assert counts_by_kind(sweep("--dojo", other_tenant.slug)) == {}
    with tenant_scope(tenant):
        assert Refusal.objects.count() == 2


def test_inactive_and_outdated_dojos_are_skipped(
    sweep: Sweep, refused: None, tenant: TenantScope, capsys: pytest.CaptureFixture[str]
) -> None:
    """A suspended dojo, and one that is too far behind this code, which is named."""
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="suspended")
    assert (tenant.slug, "attendance.refusals") not in counts_by_kind(sweep("--dry-run"))
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="active", schema_version="")
    assert (tenant.slug, "attendance.refusals") not in counts_by_kind(sweep("--dry-run"))
    assert f"{tenant.slug} is too far behind" in capsys.readouterr().err


def test_expired_sessions_and_links_of_the_platform_are_swept(sweep: Sweep, platform: Platform) -> None:
    root = platform.superadmin()
    assert root.user is not None
    with platform_scope():
        Session.objects.update(expires_at=NOW - timedelta(days=31))
        PasswordLink.objects.create(
            user=root.user, secret_hash=b"x" * 32, expires_at=NOW - timedelta(days=31)
        )
        sessions = Session.objects.count()
    here = {kind: rows for (dojo, kind), rows in counts_by_kind(sweep("--dry-run")).items() if dojo is None}
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
    here = counts_by_kind(sweep("--dry-run"))
    assert here[None, "tenants.deleted_dojos"] == 1
    assert here[None, "tenants.abandoned_dojos"] == 1
    with platform_scope():
        assert Tenant.objects.filter(pk__in=[left, tenant.tenant_id]).count() == 2


def test_the_text_output_has_one_line_for_each_kind(sweep: Sweep, refused: None, tenant: TenantScope) -> None:
    output = sweep("--dry-run", "--dojo", tenant.slug, as_text=True)
    assert output.splitlines()[-1] == "1 would be removed"
    assert "attendance.refusals" in output
    assert "kept 180 days" in output


def test_an_unknown_dojo_is_an_error(sweep: Sweep) -> None:
    with pytest.raises(CommandError, match="no dojo"):
        sweep("--dojo", "nowhere")


def test_every_kind_is_declared() -> None:
    assert {one.kind for one in rules_for(ON_THE_PLATFORM)} >= {
        "accounts.attempt_counts",
        "accounts.idempotent_answers",
        "accounts.password_links",
        "accounts.sessions",
        "tenants.abandoned_dojos",
        "tenants.deleted_dojos",
        "tenants.exports",
    }
    assert {one.kind for one in rules_for(IN_DOJOS)} >= {
        "accounts.sessions",
        "attendance.refusals",
        "attendance.scan_answers",
        "promotions.check_batches",
    }


def test_responses_are_kept_as_long_as_idempotency_keys_are_valid(dojo: Dojo) -> None:
    from tatami.api.idempotency import REPLAY_WINDOW

    (answers,) = (one for one in rules_for(IN_DOJOS) if one.kind == "accounts.idempotent_answers")
    assert answers.time >= REPLAY_WINDOW
    assert IdempotentAnswer._meta.label
