"""The personal address under which a user's calendar fetches the schedule."""

from typing import ClassVar, Self

from django.db import models

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel


class CalendarFeedQuerySet(models.QuerySet["CalendarFeed"]):
    """The feeds of the dojo."""

    def of_leavers(self) -> Self:
        """Return those of users who may no longer sign in."""
        return self.exclude(user__in=User.objects.active())


class CalendarFeed(TenantModel):
    """A user's feed. Holds the hash of its token; the token is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    token_hash = models.BinaryField(max_length=32)

    objects: ClassVar[CalendarFeedQuerySet] = CalendarFeedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], name="calendar_feed_one_each"),
            models.UniqueConstraint(fields=["token_hash"], name="calendar_feed_token_once"),
        ]
