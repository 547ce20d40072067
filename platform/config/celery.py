"""The Celery application of worker and beat, with the schedule of all periodic jobs."""

import logging
import os
import warnings
from datetime import timedelta
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.fixups.django import DjangoFixup
from celery.schedules import crontab
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tatami.celery_base import PersistentAMQP
from tatami.garbage_collection import collect_less_often
from tatami.metrics import QUEUE, serve_metrics
from tatami.postgresql.login_check import check_logins_at_start
from tatami.tenancy.scope import platform_scope
from tatami.tracing import start_tracing, stop_tracing

SPREAD: Final = timedelta(minutes=30)
"""A job for all dojos is spread over this time, so that the dojos do not run it all at once."""

WAKE: Final = "tenants.wake"
"""The task that lets workers look for due jobs. Beat sends it every two seconds."""


class ScopedFixup(DjangoFixup):
    """Celery's Django support, with a scope: its start-up checks create a user object, which needs one."""

    def on_import_modules(self, **kwargs: Any) -> None:
        """Set up and check Django in the platform scope. Tasks start without a scope."""
        with platform_scope():
            super().on_import_modules(**kwargs)


def fixup(app: Celery) -> ScopedFixup:
    """Install `ScopedFixup`. Celery calls this function by its dotted name."""
    scoped = ScopedFixup(app)
    scoped.install()
    return scoped


def in_every_dojo(job: str, schedule: crontab, *, at_local_hour: int | None = None) -> dict[str, Any]:
    """Return an entry of beat's schedule that requests `job` for every dojo, spread over `SPREAD`.

    With `at_local_hour` (0 to 23, in the dojo's time zone) the job runs once a day in each dojo, after that hour.
    """
    arguments: dict[str, Any] = {"job": job, "spread_seconds": SPREAD.total_seconds()}
    if at_local_hour is None:
        return {"task": "tenants.request_for_all", "schedule": schedule, "kwargs": arguments}
    arguments["at_local_hour"] = at_local_hour
    return {"task": "tenants.request_daily", "schedule": schedule, "kwargs": arguments}


app = Celery("tatami", fixups=["config.celery:fixup"], amqp=PersistentAMQP)
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    # Retry for ever: a worker that gives up would have to be restarted by hand.
    broker_connection_max_retries=None,
    # Jobs are rows in PostgreSQL. The message of a killed worker goes to another worker, at the latest after this time.
    broker_transport_options={
        "visibility_timeout": 300,  # seconds
        # Fail fast: HTTP requests must not wait for Valkey, even if it hangs. More than the BRPOP timeout of 1 s.
        "socket_connect_timeout": 1,
        "socket_timeout": 1.5,
    },
    # Do not retry sending a task: beat wakes workers for due jobs, and sends later what it could not send.
    task_publish_retry_policy={"max_retries": 0},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # A running task does not need Valkey. If it were cancelled, its job would wait until its lease expires.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    timezone="UTC",
    beat_scheduler="tatami.celery_base:PersistentBeat",
    beat_schedule={
        "wake workers": {
            "task": WAKE,
            "schedule": timedelta(seconds=2),
            "options": {"expires": 2},
        },
        "materialise sessions": in_every_dojo("classes.materialise", crontab(minute=17)),
        "sweep check-in leftovers": in_every_dojo("attendance.sweep", crontab(minute=23), at_local_hour=3),
        "check promotions": in_every_dojo("promotions.snapshot", crontab(minute=2), at_local_hour=4),
        "sweep promotion leftovers": in_every_dojo("promotions.sweep", crontab(minute=29), at_local_hour=3),
        "find unqueued mail": in_every_dojo("notifications.outbox", crontab(minute="8-59/15")),
        "notify absentees": in_every_dojo("notifications.absentees", crontab(minute=11), at_local_hour=9),
        "sweep old mail": in_every_dojo("notifications.sweep", crontab(minute=37), at_local_hour=3),
        "find unqueued batches": in_every_dojo("promotions.batches", crontab(minute=53)),
        "find unsent password mail": in_every_dojo("accounts.password_mails", crontab(minute="13-59/15")),
        "find the platform's unsent password mail": {
            "task": "accounts.send_platform_password_mails",
            "schedule": timedelta(seconds=30),
            "options": {"expires": 25},
        },
        "sweep sign-in leftovers": in_every_dojo("accounts.sweep", crontab(minute=41)),
        "find unqueued webhooks": in_every_dojo("webhooks.deliver", crontab(minute="3-59/15")),
        "sweep old webhooks": in_every_dojo("webhooks.sweep", crontab(minute=39), at_local_hour=3),
        "send the platform's webhooks": {
            "task": "webhooks.deliver_platform",
            "schedule": timedelta(minutes=1),
            "options": {"expires": 50},
        },
        "sweep the platform's webhooks": {"task": "webhooks.sweep_platform", "schedule": crontab(minute=45)},
        "sweep the platform's sign-in leftovers": {
            "task": "accounts.sweep_platform",
            "schedule": crontab(minute=43),
        },
        "count what dojos use": in_every_dojo("tenants.usage", crontab(minute=47), at_local_hour=2),
        "clear abandoned dojos": {"task": "tenants.clear_abandoned", "schedule": crontab(minute="*/10")},
        "purge overdue dojos": {"task": "tenants.purge_overdue", "schedule": crontab(hour=3, minute=5)},
        "find unqueued exports": {
            "task": "tenants.make_exports",
            "schedule": timedelta(minutes=1),
            "options": {"expires": 50},
        },
        "sweep former subdomains": {"task": "tenants.sweep_domains", "schedule": crontab(minute=41)},
        "sweep exports": {"task": "tenants.sweep_exports", "schedule": crontab(minute=47)},
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Keep the logging of Django's settings. A receiver of this signal stops Celery from replacing it."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(should_log)


def should_log(record: logging.LogRecord) -> bool:
    """Return whether to log a record of Celery: the INFO lines of `WAKE`, every two seconds, are dropped."""
    arguments = record.args if isinstance(record.args, dict) else {}
    return record.levelno > logging.INFO or arguments.get("name") != WAKE


@celeryd_after_setup.connect
def silence_cancellation_warning(**_: object) -> None:
    """Silence the warning, at each loss of Valkey, that running tasks are not cancelled (see above)."""
    warnings.filterwarnings("ignore", "\nIn Celery 5.1", CPendingDeprecationWarning)


@worker_init.connect
def refuse_unsafe_login(**_: object) -> None:
    """Stop the worker before it runs a task if one of the logins is unsafe.

    Celery only logs the exceptions of a receiver, and would go on; a `SystemExit` ends it.
    """
    try:
        check_logins_at_start()
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error


@worker_init.connect
def tune_garbage_collection(**_: object) -> None:
    """Run in the parent, before it forks the processes that run tasks."""
    collect_less_often()


@worker_process_init.connect
def start_metrics(**_: object) -> None:
    """Serve metrics from the child processes. The parent forks them, so it must have no threads."""
    serve_metrics()


@worker_process_init.connect
def trace_tasks(**_: object) -> None:
    """Export spans from the child processes, which run the tasks."""
    start_tracing("tatami-worker")


@worker_process_shutdown.connect
def export_last_spans(**_: object) -> None:
    """Export the spans of the last tasks. A child process of Celery ends without Python's own clean-up."""
    stop_tracing()
