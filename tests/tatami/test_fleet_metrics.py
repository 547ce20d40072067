"""Metrics about all dojos and about the work: what a scrape reads, and what requests and jobs count."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.mail import EmailMessage
from prometheus_client import REGISTRY

from shared_apps.tenants import fleet_state, provisioning
from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import Tenant, TenantBacklog, TenantExport, TenantMigration
from shared_apps.webhooks.tasks import deliver
from tatami import smtp
from tatami.api.body_middleware import BodyReader
from tatami.api.request_slots import RequestSlots, StatementWatch
from tatami.errors import ServiceUnavailable
from tatami.jobs import JobRun
from tatami.metrics import BrokerCollector, FleetCollector, valkey_url
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.statements import sent_statements

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def sampled(collector: Any) -> dict[tuple[str, str], float]:
    """Return the samples of a collector by name and first label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


# --- the fleet -----------------------------------------------------------------------------------------------------


def test_dojos_are_counted_by_status_and_version(tenant: TenantScope, other_tenant: TenantScope) -> None:
    before = fleet_state.read_fleet_state()
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(
            status="suspended", schema_version="accounts.0001_initial"
        )
        TenantMigration.objects.create(tenant_id=tenant.tenant_id, target="x", state="failed")
    after = fleet_state.read_fleet_state()
    assert after.dojos["suspended"] == before.dojos["suspended"] + 1
    assert after.dojos["active"] == before.dojos["active"] - 1
    assert after.outdated == before.outdated + 1
    assert after.migrations_failed == before.migrations_failed + 1


def test_a_dojo_that_is_being_created_is_not_outdated(tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="provisioning", schema_version="")
    assert fleet_state.read_fleet_state().outdated == 0


def test_due_jobs_have_a_number_and_an_age(tenant: TenantScope, other_tenant: TenantScope, now: Any) -> None:
    job_queue.enqueue(tenant.tenant_id, "sample.late", now=NOW - HOUR)
    job_queue.enqueue(other_tenant.tenant_id, "sample.late", now=NOW - 2 * HOUR)
    job_queue.enqueue(tenant.tenant_id, "sample.later", now=NOW + HOUR)
    jobs = fleet_state.read_fleet_state().jobs
    assert (jobs["sample.late"].number, jobs["sample.late"].oldest_seconds) == (2, 7_200)
    assert "sample.later" not in jobs


def test_an_export_that_waits_has_an_age(tenant: TenantScope, now: Any) -> None:
    with platform_scope():
        TenantExport.objects.create(
            tenant_id=tenant.tenant_id, lease_until=NOW, expires_at=NOW + HOUR, created_at=NOW - HOUR
        )
    exports = fleet_state.read_fleet_state().exports
    assert (exports.number, exports.oldest_seconds) == (1, 3_600)


def test_a_scrape_takes_the_same_statements_however_many_dojos_there_are(tenant: TenantScope) -> None:
    with sent_statements() as few:
        fleet_state.read_fleet_state()
    with platform_scope():
        for number in range(20):
            slug = f"more-{number}"
            made = Tenant.objects.create(schema_name=f"t_{number}", slug=slug, name=slug, status="active")
            job_queue.enqueue(made.pk, "sample.late", now=NOW)
            with tenant_scope(made.scope):
                fleet_state.report_backlog("mail", NOW)
    with sent_statements() as many:
        fleet_state.read_fleet_state()
    assert len(many) == len(few)
    assert sum("SELECT" in text for text in many) == 5


def test_labels_do_not_grow_with_the_dojos(north: TenantScope, south: TenantScope) -> None:
    """Committed, because a scrape reads them on a connection of its own."""
    for one in (north, south):
        job_queue.enqueue(one.tenant_id, "sample.late", now=NOW - HOUR)
        with tenant_scope(one):
            fleet_state.report_backlog("mail", NOW)
    try:
        found = sampled(FleetCollector())
    finally:
        for one in (north, south):
            with tenant_scope(one):
                fleet_state.report_backlog("mail", None)
    assert found["tatami_jobs_due", "sample.late"] == 2
    assert found["tatami_backlog_dojos", "mail"] == 2
    labels = {label for _, label in found}
    assert not labels & {north.slug, south.slug, str(north.tenant_id), str(south.tenant_id)}


# --- what waits to be sent -----------------------------------------------------------------------------------------


def backlog(kind: str) -> Any:
    return fleet_state.read_fleet_state().backlogs.get(kind)


def test_a_report_is_replaced_and_withdrawn(tenant: TenantScope, now: Any) -> None:
    with tenant_scope(tenant):
        fleet_state.report_backlog("mail", NOW - HOUR)
        fleet_state.report_backlog("mail", NOW - 2 * HOUR)
        assert (backlog("mail").number, backlog("mail").oldest_seconds) == (1, 7_200)
        fleet_state.report_backlog("mail", None)
        fleet_state.report_backlog("mail", None)
    assert backlog("mail") is None


def test_the_platform_and_a_purged_dojo_report_nothing(tenant: TenantScope) -> None:
    with platform_scope():
        fleet_state.report_backlog("mail", NOW)
        Tenant.objects.create(schema_name="t_gone", slug="gone", name="gone")
        gone = Tenant.objects.get(slug="gone")
        scope = gone.scope
        gone.delete()
    with tenant_scope(scope):
        fleet_state.report_backlog("mail", NOW)
    with platform_scope():
        assert not TenantBacklog.objects.exists()


def test_a_suspended_dojo_has_no_backlog(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        fleet_state.report_backlog("mail", NOW)
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="suspended")
    assert backlog("mail") is None


def test_a_webhook_that_waits_is_reported_by_its_job(dojo: Dojo, settings: Any) -> None:
    settings.TATAMI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    dojo.create("/webhooks", {"url": "http://127.0.0.1:1/hook", "events": ["student.created"]})
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    before = value("tatami_webhook_attempts_total", outcome="unavailable")
    with tenant_scope(dojo.tenant):
        deliver(JobRun(now=NOW))
    assert backlog("webhook").number == 1
    assert value("tatami_webhook_attempts_total", outcome="unavailable") == before + 1


# --- what is counted -----------------------------------------------------------------------------------------------


def test_a_mail_server_that_is_away_is_counted(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    before = value("tatami_mails_total", outcome="unavailable")
    with pytest.raises(smtp.MailServerUnavailable), smtp.mail_connection():
        pass
    assert value("tatami_mails_total", outcome="unavailable") == before + 1


def test_a_mail_is_counted_by_its_outcome(settings: Any) -> None:
    sent, failed = (value("tatami_mails_total", outcome=one) for one in ("sent", "failed"))
    smtp.send_message(EmailMessage("Subject", "Body", to=["mika@example.com"]))
    smtp.send_message(EmailMessage("Two\nlines", "Body", to=["mika@example.com"]))
    assert value("tatami_mails_total", outcome="sent") == sent + 1
    assert value("tatami_mails_total", outcome="failed") == failed + 1


@pytest.mark.parametrize(
    ("error", "outcome"), [(SlugTaken, "refused"), (LookupError, "failed"), (KeyboardInterrupt, "failed")]
)
def test_a_dojo_that_is_not_created_is_counted_by_the_reason(
    error: type[BaseException], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> Any:
        raise error

    before = value("tatami_provisioning_duration_seconds_count", outcome=outcome)
    monkeypatch.setattr(provisioning.ddl, "schema_lock", fails)
    admin = provisioning.FirstAdmin("head@example.com")
    with pytest.raises(error):
        provisioning.create_tenant(name="Aiki", slug="aiki", timezone="UTC", admin=admin, now=NOW)
    assert value("tatami_provisioning_duration_seconds_count", outcome=outcome) == before + 1


def slots(**given: Any) -> RequestSlots:
    limits: dict[str, Any] = {"size": 4, "running": 4, "most": 4, "most_per_share": 2, "connect": object}
    return RequestSlots(**limits | given)


def test_waits_for_a_slot_and_refusals_are_counted() -> None:
    waits = value("tatami_web_slot_wait_seconds_count")
    before = {
        one: value("tatami_requests_refused_total", reason=one) for one in ("host", "process", "timeout")
    }
    some = slots()
    with some.slot("a"), some.slot("a"), pytest.raises(ServiceUnavailable), some.slot("a"):
        pass
    with some.slot("a"), some.slot("b"), some.slot("c"), some.slot("d"):
        with pytest.raises(ServiceUnavailable), some.slot("e"):
            pass
        some.observe()
        assert value("tatami_web_slots", state="used") == 4
        assert value("tatami_web_slots", state="idle") == 0
    some = slots(size=1, running=1, quick=0.001, wait=0.0)
    with some.slot("a"), pytest.raises(ServiceUnavailable), some.slot("a"):
        pass
    some.observe()
    assert value("tatami_web_slots", state="used") == 0
    assert value("tatami_web_requests_waiting") == 0
    assert value("tatami_web_slot_wait_seconds_count") == waits, "all others had a slot at once"
    assert {
        one: value("tatami_requests_refused_total", reason=one) - number for one, number in before.items()
    } == {
        "host": 1,
        "process": 1,
        "timeout": 1,
    }


def test_a_request_that_waits_is_measured() -> None:
    waits = value("tatami_web_slot_wait_seconds_count")
    some = slots(size=1, running=1, quick=0.001, wait=60.0)

    def later() -> None:
        with some.slot("b"):
            pass

    thread = threading.Thread(target=later)
    with some.slot("a"):
        thread.start()
        while not some.waiting:
            thread.join(0.001)
    thread.join(60)
    assert value("tatami_web_slot_wait_seconds_count") == waits + 1


def test_the_watch_sets_the_gauges_until_it_is_stopped() -> None:
    calls = []

    def observe() -> None:
        calls.append(1)
        if len(calls) == 2:
            watch.stop()

    watch = StatementWatch([], seconds=1, observe=observe)
    watch.run()
    assert len(calls) == 2


def test_bodies_beyond_the_share_of_a_client_are_counted() -> None:
    before = {one: value("tatami_requests_refused_total", reason=one) for one in ("client", "bodies")}
    reader = BodyReader(most=2, most_per_client=1)
    with reader._place("a"):
        with pytest.raises(ServiceUnavailable), reader._place("a"):
            pass
        with reader._place("b"), pytest.raises(ServiceUnavailable), reader._place("c"):
            pass
    after = {
        one: value("tatami_requests_refused_total", reason=one) - number for one, number in before.items()
    }
    assert after == {"client": 1, "bodies": 1}


# --- the broker ----------------------------------------------------------------------------------------------------


@pytest.fixture
def queue(settings: Any) -> Iterator[redis.Redis]:
    """The queue of Celery in a database of Valkey that nothing else uses."""
    settings.CELERY_BROKER_URL = re.sub(r"(virtual_host=|/)\d+$", r"\g<1>9", settings.CELERY_BROKER_URL)
    url = valkey_url(settings.CELERY_BROKER_URL)
    assert url is not None
    assert url.endswith("9")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield client
        client.flushdb()


def test_the_queue_of_the_broker_is_measured(queue: redis.Redis) -> None:
    collector = BrokerCollector()
    assert sampled(collector) == {("tatami_broker_messages", ""): 0, ("tatami_broker_unacknowledged", ""): 0}
    queue.lpush("tatami", "a", "b")
    queue.hset("unacked", "c", "d")
    assert sampled(collector) == {("tatami_broker_messages", ""): 2, ("tatami_broker_unacknowledged", ""): 1}


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
def test_without_valkey_the_other_metrics_remain(settings: Any, url: str) -> None:
    settings.CELERY_BROKER_URL = url
    assert sampled(BrokerCollector()) == {}


# --- several processes ---------------------------------------------------------------------------------------------

COUNT = """
import sys
from tatami.metrics import SLOTS, build_registry
SLOTS.labels("used").set(3)
if len(sys.argv) > 1:
    from prometheus_client.exposition import generate_latest
    from prometheus_client import CollectorRegistry
    from tatami.metrics import ServiceCollector
    registry = CollectorRegistry()
    ServiceCollector(registry)
    print(generate_latest(registry).decode())
"""


def test_gauges_of_processes_that_have_ended_are_left_out(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}

    def run(*arguments: str) -> str:
        code = f"import django; django.setup()\n{COUNT}"
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    run()
    assert 'tatami_web_slots{state="used"} 3.0' in run("print")
