"""The address of a user's calendar: a card of the account and of the family page."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from tenant_apps.classes.models import CalendarFeed
from tenant_apps.desk.page import Page


def has_calendar(user: User) -> bool:
    """Return whether the user has a calendar address that works. One statement."""
    return CalendarFeed.objects.filter(user=user).exists()


class CalendarCard(Page):
    """A page with the card. POST with `action` creates or ends the address; a new one is shown once."""

    back: str
    """The route of the page that is shown afterwards."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.redirect(self.back)

    def submit(self) -> HttpResponseBase:
        if self.request.POST.get("action") == "end":
            self.send("DELETE", "my-calendar")
            return self.redirect(self.back, gettext("The calendar address does not work any more."))
        url: str = self.send("POST", "my-calendar")["url"]
        shown = {"calendar_url": url, "calendar_webcal": f"webcal:{url.partition(':')[2]}"}
        return self.render({**self.read_context(), **shown})
