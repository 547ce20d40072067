"""The Celery application: worker and beat."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from celery import Celery
from celery.fixups.django import DjangoFixup
from celery.schedules import crontab
from celery.signals import setup_logging, worker_init
from django.conf import settings

from tatami.postgresql.logins import refuse_to_start_unsafely
from tatami.tenancy.scope import platform_scope


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


app = Celery("tatami", fixups=["config.celery:fixup"])
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    # PostgreSQL is the truth for work: what a killed worker held is found by a sweeper, or comes back after this.
    broker_transport_options={"visibility_timeout": 300},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    task_ignore_result=True,
    task_default_queue="tatami",
    timezone="UTC",
    beat_schedule={
        "materialise sessions": {"task": "classes.materialise_everywhere", "schedule": crontab(minute=17)},
        "sweep check-in leftovers": {
            "task": "attendance.sweep_everywhere",
            "schedule": crontab(hour=2, minute=23),
        },
        "sweep sign-in leftovers": {"task": "accounts.sweep_everywhere", "schedule": crontab(minute=41)},
        "clear abandoned dojos": {"task": "tenants.clear_abandoned", "schedule": crontab(minute="*/10")},
        "purge overdue dojos": {"task": "tenants.purge_overdue", "schedule": crontab(hour=3, minute=5)},
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Keep the logging that Django's settings made; Celery's own would replace it."""


@worker_init.connect
def refuse_unsafe_login(**_: object) -> None:
    """Stop before any task runs if the app login can do more than it should."""
    refuse_to_start_unsafely()
