"""Keeping the schedule ahead of the calendar."""

from tatami.work import DONE, Turn, job
from tenant_apps.classes.feed import close_feeds_of_leavers
from tenant_apps.classes.materialise import materialise_ahead


@job("classes.materialise")
def materialise(turn: Turn) -> str | None:
    """Make the sessions of one dojo up to the horizon, and end the feeds of those who left."""
    materialise_ahead(now=turn.now)
    close_feeds_of_leavers()
    return DONE
