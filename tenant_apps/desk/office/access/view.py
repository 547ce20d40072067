"""Who and what has access: users, devices, API keys and webhooks. Secrets are shown once, when they are made."""

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.access.forms import (
    ROLE_NAMES,
    ApiKeyForm,
    DeviceForm,
    SignInPolicyForm,
    UserForm,
    WebhookForm,
)
from tenant_apps.desk.office.settings.view import SettingsPage


class ListAndForm(SettingsPage):
    """A list, and a form that adds to it. What was made is shown once, above the list."""

    route: ClassVar[str]
    tab: ClassVar[str]
    form: ClassVar[type[ApiForm]]

    def context(self) -> dict[str, Any]:
        return self.listed(self.form())

    def listed(self, form: ApiForm, **more: Any) -> dict[str, Any]:
        """Return the list beside a form."""
        rows = self.ask(self.route, query={"page_size": 200})["results"]
        can_add = self.may(self.route, "POST")
        return {"tab": self.tab, "rows": rows, "form": form, "can_add": can_add, "roles": ROLE_NAMES, **more}

    def submit(self) -> HttpResponseBase:
        form, status = self.form(self.request.POST), 400
        if form.is_valid():
            try:
                made = self.send("POST", self.route, form.body())
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                return self.render(self.listed(self.form(), made=made))
        return self.render(self.listed(form), status=status)


class Users(ListAndForm):
    """The users of the dojo. A new one gets a mail with a link to set a password."""

    template_name = "desk/office/access/users.html"
    route, tab, form = "users", "users", UserForm

    def listed(self, form: ApiForm, **more: Any) -> dict[str, Any]:
        found = super().listed(form, **more)
        if self.may("sign-in-policy"):
            found["policy"] = SignInPolicyForm(initial=self.ask("sign-in-policy"))
        return found


class User(SettingsPage):
    """One user: name, role, whether they may sign in; archive."""

    template_name = "desk/office/access/user.html"

    def context(self) -> dict[str, Any]:
        person = self.ask("user", id=self.kwargs["id"])
        return {"tab": "users", "person": person, "form": UserForm(initial=person)}

    def submit(self) -> HttpResponseBase:
        key = self.kwargs["id"]
        if "archive" in self.request.POST:
            self.send("DELETE", "user", id=key)
            return self.redirect("desk:users", gettext("The user is archived and signed out."))
        if "reset_factors" in self.request.POST:
            self.send("DELETE", "user-second-factors", id=key)
            return self.redirect("desk:user", gettext("Their second factors are removed."), id=key)
        form = UserForm(self.request.POST)
        if form.is_valid():
            try:
                self.send("PATCH", "user", form.body(), id=key)
            except Refused as error:
                form.add_refusal(error)
            else:
                return self.redirect("desk:users", gettext("The user is saved."))
        return self.render({"tab": "users", "person": self.ask("user", id=key), "form": form}, status=400)


class SignInPolicy(SettingsPage):
    """Which roles need a second factor."""

    def submit(self) -> HttpResponseBase:
        form = SignInPolicyForm(self.request.POST)
        form.is_valid()
        self.send("PATCH", "sign-in-policy", form.body())
        return self.redirect("desk:users", gettext("The rule is saved."))


class Devices(ListAndForm):
    """Kiosks and scanners. A new one is paired by a code that is shown once."""

    template_name = "desk/office/access/devices.html"
    route, tab, form = "devices", "devices", DeviceForm


class ApiKeys(ListAndForm):
    """Keys for other programs."""

    template_name = "desk/office/access/api_keys.html"
    route, tab, form = "api-keys", "api-keys", ApiKeyForm


class Webhooks(ListAndForm):
    """Addresses that are told what happens here."""

    template_name = "desk/office/access/webhooks.html"
    route, tab, form = "webhooks", "webhooks", WebhookForm


class Webhook(SettingsPage):
    """One webhook: its deliveries, a test, on and off."""

    template_name = "desk/office/access/webhook.html"

    def context(self) -> dict[str, Any]:
        key = self.kwargs["id"]
        deliveries = self.ask("webhook-deliveries", id=key, query={"page_size": 30})["results"]
        return {"tab": "webhooks", "webhook": self.ask("webhook", id=key), "deliveries": deliveries}

    def submit(self) -> HttpResponseBase:
        key, asked = self.kwargs["id"], self.request.POST
        if "delete" in asked:
            self.send("DELETE", "webhook", id=key)
            return self.redirect("desk:webhooks", gettext("The webhook is deleted."))
        if "redeliver" in asked:
            self.send("POST", "webhook-redelivery", webhook_id=key, id=asked["redeliver"])
            return self.redirect("desk:webhook", gettext("It is being sent again."), id=key)
        if "test" in asked:
            self.send("POST", "webhook-test", id=key)
            return self.redirect("desk:webhook", gettext("A test is on its way."), id=key)
        self.send("PATCH", "webhook", {"is_active": "on" in asked}, id=key)
        return self.redirect("desk:webhook", gettext("The webhook is saved."), id=key)


class Revoke(SettingsPage):
    """End the access of a device or of an API key."""

    route: ClassVar[str]
    back: ClassVar[str]

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", self.route, id=self.kwargs["id"])
        return self.redirect(self.back, gettext("It has no access any more."))


class RevokeDevice(Revoke):
    route, back = "device", "desk:devices"


class RevokeApiKey(Revoke):
    route, back = "api-key", "desk:api-keys"
