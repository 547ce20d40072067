"""News by mail: a card of the account and of the family page, which says what the user's address gets."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.office.messages.view import TEMPLATE_NAMES
from tenant_apps.desk.page import Page


def own_mail(page: Page) -> dict[str, Any]:
    """Return what the card shows: the API's response, with the names of what is always sent. Two statements."""
    found: dict[str, Any] = page.ask("own-notifications")
    events = [one for one in found["kinds"] if not one["is_optional"] and one["is_on"]]
    return {**found, "events": [TEMPLATE_NAMES[one["kind"]] for one in events]}


class NewsCard(Page):
    """A page with the card. POST with `news` (`on` or `off`) turns news on or off; a repeated one changes nothing."""

    back: str
    """The route of the page that is shown afterwards."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.redirect(self.back)

    def submit(self) -> HttpResponseBase:
        asked = self.request.POST.get("news", "")
        saved = self.send(
            "PATCH", "own-notifications", {"news": {"on": True, "off": False}.get(asked, asked)}
        )
        done = gettext("You get news by mail.") if saved["news"] else gettext("You get no more news by mail.")
        return self.redirect(self.back, done)
