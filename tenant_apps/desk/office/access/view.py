"""Who and what has access: users, devices and API keys. Secrets are shown once, when they are made."""

from typing import Any, ClassVar, Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.access.forms import (
    ROLE_NAMES,
    ROLES,
    ApiKeyForm,
    DeviceForm,
    SignInPolicyForm,
    UserForm,
)
from tenant_apps.desk.office.settings.view import SettingsPage
from tenant_apps.desk.page import Page

PAGE_SIZE: Final = 50


class ListAndForm(SettingsPage):
    """A list, and a form that adds to it. What was made is shown once, above the list."""

    route: ClassVar[str]
    tab: ClassVar[str]
    form: ClassVar[type[ApiForm]]

    def context(self) -> dict[str, Any]:
        return self.listed(self.form())

    def filters(self) -> dict[str, str]:
        """Return the query of the list."""
        return {}

    def listed(self, form: ApiForm, **more: Any) -> dict[str, Any]:
        """Return a page of the list beside a form."""
        found = self.ask_page(self.route, page_size=PAGE_SIZE, query=self.filters())
        return {
            "tab": self.tab,
            "rows": found.rows,
            "count": found.count,
            "form": form,
            "can_add": self.may(self.route, "POST"),
            "roles": ROLE_NAMES,
            **found.place,
            **more,
        }

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


class UserList(ListAndForm):
    """The users, searched and filtered, beside the forms of the page: to invite one, and who needs a second factor."""

    route, tab, form = "users", "users", UserForm

    def filters(self) -> dict[str, str]:
        role = self.query("role")
        return {
            "search": self.query("search"),
            "role": role if role in ROLE_NAMES else "",
            "ordering": "name",
        }

    def listed(self, form: ApiForm, **more: Any) -> dict[str, Any]:
        found = super().listed(form, **more)
        if "policy" not in found and self.may("sign-in-policy"):
            found["policy"] = SignInPolicyForm(initial=self.ask("sign-in-policy"))
        return {**found, "search": self.query("search"), "role": self.query("role"), "role_choices": ROLES}


class Users(UserList):
    """The users of the dojo. A new one gets a mail with a link to set a password."""

    template_name = "desk/office/access/users.html"


class SignInPolicy(UserList):
    """Which roles need a second factor: a form of the page of the users, which shows what is wrong with it."""

    context = Page.context

    def submit(self) -> HttpResponseBase:
        policy, status = SignInPolicyForm(self.request.POST), 400
        if policy.is_valid():
            try:
                self.send("PATCH", "sign-in-policy", policy.body())
            except Refused as error:
                policy.add_refusal(error)
                status = error.status
            else:
                return self.redirect("desk:users", gettext("The rule is saved."))
        return self.render(
            self.listed(UserForm(), policy=policy), template=Users.template_name, status=status
        )


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
        form, status = UserForm(self.request.POST), 400
        if form.is_valid():
            try:
                self.send("PATCH", "user", form.body(), id=key)
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                return self.redirect("desk:users", gettext("The user is saved."))
        return self.render({"tab": "users", "person": self.ask("user", id=key), "form": form}, status=status)


class Devices(ListAndForm):
    """Kiosks and scanners. A new one is paired by a code that is shown once."""

    template_name = "desk/office/access/devices.html"
    route, tab, form = "devices", "devices", DeviceForm


class ApiKeys(ListAndForm):
    """Keys for other programs."""

    template_name = "desk/office/access/api_keys.html"
    route, tab, form = "api-keys", "api-keys", ApiKeyForm


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
