"""The hourly job of the schedule."""

from tatami.jobs import DONE, JobRun, job
from tenant_apps.classes.calendar_feed import delete_feeds_of_inactive_users
from tenant_apps.classes.session_generation import generate_to_horizon


@job("classes.materialise")
def generate_sessions(run: JobRun) -> str | None:
    """Generate the sessions of one dojo up to the horizon, and delete the feeds of users who may not sign in."""
    generate_to_horizon(now=run.now)
    delete_feeds_of_inactive_users()
    return DONE
