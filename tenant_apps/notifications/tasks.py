"""Background jobs of notifications. Celery imports this module, so that every worker knows them."""

from typing import Final

from tatami import retention
from tatami.jobs import DONE, JobRun, job
from tenant_apps.notifications.absentees import notify_absentees
from tenant_apps.notifications.privacy import RETENTION, empty_old_mail
from tenant_apps.notifications.sending import send_outbox

__all__ = ["notify_absentees", "send_outbox", "sweep"]

SWEEP_JOB: Final = "notifications.sweep"

retention.register_cleanup(empty_old_mail, "mail", keep=RETENTION, job=SWEEP_JOB, scopes=retention.IN_DOJOS)


@job(SWEEP_JOB)
def sweep(run: JobRun) -> str | None:
    """Delete the content of old mail."""
    retention.sweep(SWEEP_JOB, now=run.now)
    return DONE
