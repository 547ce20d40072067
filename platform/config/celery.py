"""The Celery application: worker and beat."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging
from django.conf import settings

app = Celery("tatami")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    # What a killed worker held is taken up again at once; one message at a time, so that nothing waits in a buffer.
    broker_transport_options={"visibility_timeout": 300, "unacked_restore_limit": 100},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    task_ignore_result=True,
    task_default_queue="tatami",
    timezone="UTC",
    beat_schedule={
        "materialise sessions": {"task": "classes.materialise_everywhere", "schedule": crontab(minute=17)},
        "sweep sign-in leftovers": {"task": "accounts.sweep_everywhere", "schedule": crontab(minute=41)},
        "clear abandoned dojos": {"task": "tenants.clear_abandoned", "schedule": crontab(minute="*/10")},
        "purge overdue dojos": {"task": "tenants.purge_overdue", "schedule": crontab(hour=3, minute=5)},
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Keep the logging that Django's settings made; Celery's own would replace it."""
