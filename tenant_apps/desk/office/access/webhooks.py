"""Webhooks: their list, and one with its deliveries, its form, a test, on and off."""

from http import HTTPStatus
from typing import Any, Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused, cursor_of
from tenant_apps.desk.office.access.forms import WebhookForm
from tenant_apps.desk.office.access.view import ListAndForm
from tenant_apps.desk.office.settings.view import SettingsPage

DELIVERIES_SHOWN: Final = 30
STATES: Final = {
    "queued": gettext_lazy("waiting"),
    "delivered": gettext_lazy("delivered"),
    "failed": gettext_lazy("failed"),
}
DISABLED_BECAUSE: Final = {
    "request": gettext_lazy("Someone switched it off."),
    "gone": gettext_lazy("The receiver answered that the address is gone for good (410)."),
    "failing": gettext_lazy("The receiver did not accept anything for three days."),
}


class Webhooks(ListAndForm):
    """Addresses that are told what happens here."""

    template_name = "desk/office/access/webhooks.html"
    route, tab, form = "webhooks", "webhooks", WebhookForm


class Webhook(SettingsPage):
    """One webhook: its deliveries, its form, a test, on and off. `?state=failed` lists what failed."""

    template_name = "desk/office/access/webhook.html"

    def context(self) -> dict[str, Any]:
        return self.shown()

    def shown(self, form: WebhookForm | None = None) -> dict[str, Any]:
        """Return the webhook with a page of its deliveries; the form that was refused, with its errors."""
        key = self.kwargs["id"]
        webhook = self.ask("webhook", id=key)
        state = self.query("state") if self.query("state") in STATES else ""
        query = {"state": state, "cursor": self.query("cursor"), "page_size": DELIVERIES_SHOWN}
        found = self.ask("webhook-deliveries", id=key, query=query)
        return {
            "tab": "webhooks",
            "webhook": webhook,
            "why": DISABLED_BECAUSE.get(webhook["disabled_because"], webhook["disabled_because"]),
            "deliveries": [
                {**one, "state_name": STATES.get(one["state"], one["state"])} for one in found["results"]
            ],
            "older": cursor_of(found["next"]),
            "states": STATES,
            "state": state,
            "form": form or WebhookForm(initial=webhook, events=webhook["events"]),
            "can_change": self.may("webhook", "PATCH"),
        }

    def submit(self) -> HttpResponseBase:
        key, asked = self.kwargs["id"], self.request.POST
        if "delete" in asked:
            self.send("DELETE", "webhook", id=key)
            return self.redirect("desk:webhooks", gettext("The webhook is deleted."))
        if "redeliver" in asked:
            return self.redeliver(asked["redeliver"])
        if "test" in asked:
            self.send("POST", "webhook-test", id=key)
            return self.redirect("desk:webhook", gettext("A test is on its way."), id=key)
        if "on" in asked or "off" in asked:
            self.send("PATCH", "webhook", {"is_active": "on" in asked}, id=key)
            text = gettext("The webhook is on.") if "on" in asked else gettext("The webhook is off.")
            return self.redirect("desk:webhook", text, id=key)
        return self.change()

    def redeliver(self, delivery: str) -> HttpResponseBase:
        """Send a delivery again. One that is not kept any more, or never was, is said on the page."""
        key = self.kwargs["id"]
        try:
            self.send("POST", "webhook-redelivery", webhook_id=key, id=delivery)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self.say(gettext("There is no such delivery any more."), "error")
            return self.render(self.shown(), status=error.status)
        return self.redirect("desk:webhook", gettext("It is being sent again."), id=key)

    def change(self) -> HttpResponseBase:
        """Change its address, description and events."""
        key = self.kwargs["id"]
        form = WebhookForm(self.request.POST, events=self.ask("webhook", id=key)["events"])
        status = 400
        if form.is_valid():
            try:
                self.send("PATCH", "webhook", form.body(), id=key)
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                return self.redirect("desk:webhook", gettext("The webhook is saved."), id=key)
        return self.render(self.shown(form), status=status)
