"""The hourly job of the schedule."""

from tatami.jobs import DONE, JobRun, job
from tenant_apps.classes.calendar_feed import delete_feeds_of_inactive_users
from tenant_apps.classes.services import fill_missing_starts
from tenant_apps.classes.session_generation import generate_to_horizon


@job("classes.materialise")
def generate_sessions(run: JobRun) -> str | None:
    """Generate the sessions of one dojo up to the horizon, and tidy its enrolments and calendar feeds."""
    generate_to_horizon(now=run.now)
    fill_missing_starts()
    delete_feeds_of_inactive_users()
    return DONE
