"""The Celery application: worker and beat."""

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
from celery.signals import celeryd_after_setup, setup_logging, worker_init, worker_process_init
from django.conf import settings

from tatami.broker import Wiring
from tatami.metrics import serve_metrics
from tatami.postgresql.logins import refuse_to_start_unsafely
from tatami.tenancy.scope import platform_scope

SPREAD: Final = timedelta(minutes=30)
"""Over how long a job for all dojos is spread, so that they do not all come at once."""

WAKE: Final = "tenants.wake"


class ScopedFixup(DjangoFixup):
    """Celery's own Django support, whose start-up checks make a user object: that needs a scope."""

    def on_import_modules(self, **kwargs: Any) -> None:
        """Set Django up and check it, on the platform's behalf; tasks start without a scope."""
        with platform_scope():
            super().on_import_modules(**kwargs)


def fixup(app: Celery) -> ScopedFixup:
    """Install `ScopedFixup`; Celery calls it by name."""
    support = ScopedFixup(app)
    support.install()
    return support


def in_every_dojo(job: str, schedule: crontab, *, at_local_hour: int | None = None) -> dict[str, Any]:
    """Return a line of beat's schedule that has a job done in every dojo, spread over the half hour that follows.

    With `at_local_hour` it asks for the dojos whose hour has come: each has the job once a day.
    """
    given: dict[str, Any] = {"job": job, "spread_seconds": SPREAD.total_seconds()}
    if at_local_hour is None:
        return {"task": "tenants.request_for_all", "schedule": schedule, "kwargs": given}
    given["at_local_hour"] = at_local_hour
    return {"task": "tenants.request_daily", "schedule": schedule, "kwargs": given}


app = Celery("tatami", fixups=["config.celery:fixup"], amqp=Wiring)
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    # However long Valkey is away: a worker that gives up is one that somebody has to start again.
    broker_connection_max_retries=None,
    # PostgreSQL is the truth for work: what a killed worker held is given to another, or comes back after this.
    broker_transport_options={
        "visibility_timeout": 300,
        # Away is away at once: requests do not wait for Valkey, even if it hangs. (Longer than its BRPOP: 1.)
        "socket_connect_timeout": 1,
        "socket_timeout": 1.5,
    },
    # Nor is a call repeated: who waits is called for by beat, and what beat could not send is sent later.
    task_publish_retry_policy={"max_retries": 0},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # A piece that is being done is done as well without Valkey; cut off, it would wait for the end of its lease.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_ignore_result=True,
    task_default_queue="tatami",
    timezone="UTC",
    beat_scheduler="tatami.broker:Beat",
    beat_schedule={
        "wake workers": {
            "task": WAKE,
            "schedule": timedelta(seconds=2),
            "options": {"expires": 2},
        },
        "materialise sessions": in_every_dojo("classes.materialise", crontab(minute=17)),
        "sweep check-in leftovers": in_every_dojo("attendance.sweep", crontab(minute=23), at_local_hour=3),
        "check who is due": in_every_dojo("promotions.snapshot", crontab(minute=2), at_local_hour=4),
        "sweep promotion leftovers": in_every_dojo("promotions.sweep", crontab(minute=29), at_local_hour=3),
        "find mail that nobody noted": in_every_dojo("notifications.outbox", crontab(minute="8-59/15")),
        "write to absentees": in_every_dojo("notifications.absentees", crontab(minute=11), at_local_hour=9),
        "forget old mail": in_every_dojo("notifications.sweep", crontab(minute=37), at_local_hour=3),
        "find batches that nobody noted": in_every_dojo("promotions.batches", crontab(minute=53)),
        "sweep sign-in leftovers": in_every_dojo("accounts.sweep", crontab(minute=41)),
        "sweep the platform's sign-in leftovers": {
            "task": "accounts.sweep_platform",
            "schedule": crontab(minute=43),
        },
        "count what dojos use": in_every_dojo("tenants.usage", crontab(minute=47), at_local_hour=2),
        "clear abandoned dojos": {"task": "tenants.clear_abandoned", "schedule": crontab(minute="*/10")},
        "purge overdue dojos": {"task": "tenants.purge_overdue", "schedule": crontab(hour=3, minute=5)},
        "make exports that nobody was called for": {
            "task": "tenants.make_exports",
            "schedule": timedelta(minutes=1),
            "options": {"expires": 50},
        },
        "sweep exports": {"task": "tenants.sweep_exports", "schedule": crontab(minute=47)},
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Keep the logging that Django's settings made; Celery's own would replace it."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(is_worth_a_line)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Say whether a line of Celery's is to be written: beat calls every two seconds, which is no news."""
    about = record.args if isinstance(record.args, dict) else {}
    return record.levelno > logging.INFO or about.get("name") != WAKE


@celeryd_after_setup.connect
def keep_quiet_about_a_choice(**_: object) -> None:
    """Let Celery not warn, at each loss of Valkey, that what is being done is not cut off: we chose that."""
    warnings.filterwarnings("ignore", "\nIn Celery 5.1", CPendingDeprecationWarning)


@worker_init.connect
def refuse_unsafe_login(**_: object) -> None:
    """Stop before any task runs if the app login can do more than it should."""
    refuse_to_start_unsafely()


@worker_process_init.connect
def tell_prometheus(**_: object) -> None:
    """Serve the metrics from the processes that do the work: the one that forks them must have no threads."""
    serve_metrics()
