"""The account of the user who is signed in: name, password, second factors, sessions, calendar."""

from typing import Any, ClassVar

import orjson
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext

from shared_apps.accounts.second_factors import is_needed
from tatami.errors import NotFound
from tenant_apps.desk.account.calendar import CalendarCard, has_calendar
from tenant_apps.desk.account.forms import (
    AppCodeForm,
    NameForm,
    NewFactorForm,
    NewPasskeyForm,
    OwnPasswordForm,
    PasswordForm,
)
from tenant_apps.desk.account.news import NewsCard, own_mail
from tenant_apps.desk.account.programs import program_name
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page

KINDS = ("totp", "passkey")


class AccountPage(Page):
    """What the pages of the account share."""

    section = "account"


class Account(AccountPage):
    """All of the account on one page, with a way to each change. The same for staff, students and parents."""

    template_name = "desk/account/account.html"

    def context(self) -> dict[str, Any]:
        sessions = self.ask("own-sessions", query={"page_size": 200})
        factors = [one for one in self.ask("second-factors")["results"] if one["confirmed_at"]]
        return {
            "name_form": NameForm(initial={"name": self.user.name}),
            "factors": factors,
            "factor_needed": not factors and is_needed(self.user),
            "sessions": [{**one, "program": program_name(one["user_agent"])} for one in sessions["results"]],
            "has_calendar": has_calendar(self.user),
            "calendar_action": reverse("desk:account-calendar"),
            "mail": own_mail(self),
            "news_action": reverse("desk:account-news"),
        }


class AccountCalendar(CalendarCard, Account):
    """Create or end the address of the user's calendar."""

    back = "desk:account"


class AccountNews(NewsCard):
    """Turn news by mail on or off."""

    back = "desk:account"


class AccountName(Account):
    """Change one's own name."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.redirect("desk:account")

    def submit(self) -> HttpResponseBase:
        form = NameForm(self.request.POST)
        if form.is_valid():
            try:
                self.send("PATCH", "me", form.body())
            except Refused as error:
                form.add_refusal(error)
            else:
                return self.redirect("desk:account", gettext("Your name is saved."))
        return self.render({**self.read_context(), "name_form": form}, status=400)


class EndOtherSessions(Page):
    """Sign out everywhere else."""

    def submit(self) -> HttpResponseBase:
        self.send("DELETE", "own-sessions")
        return self.redirect("desk:account", gettext("You are signed out everywhere else."))


class EndSession(Page):
    """Sign out in one other browser or program. One that has ended meanwhile is no fault."""

    def submit(self) -> HttpResponseBase:
        try:
            self.send("DELETE", "own-session", id=self.kwargs["id"])
        except Refused as error:
            if error.code != NotFound.code:
                raise
        return self.redirect("desk:account", gettext("That session has ended."))


class FormPage(AccountPage):
    """A page with one form, whose refusals stand at its fields."""

    form_class: ClassVar[type[ApiForm]]

    def context(self) -> dict[str, Any]:
        return {"form": self.form_class()}

    def submit(self) -> HttpResponseBase:
        form, status = self.form_class(self.request.POST), 400
        if form.is_valid():
            try:
                return self.save(form)
            except Refused as error:
                form.add_refusal(error)
                status = error.status
        return self.render({**self.shown_again(), "form": form}, status=status)

    def save(self, form: ApiForm) -> HttpResponseBase:
        """Send what was entered. Raises `Refused`."""
        raise NotImplementedError

    def shown_again(self) -> dict[str, Any]:
        """Return what the page shows beside a form that was refused."""
        return {}


class ChangePassword(FormPage):
    """Change one's own password; other sessions end."""

    template_name = "desk/account/password.html"
    form_class = PasswordForm

    def save(self, form: ApiForm) -> HttpResponseBase:
        self.send("POST", "password", form.body())
        return self.redirect(
            "desk:account", gettext("Your password is changed. You are signed out everywhere else.")
        )


class NewFactor(FormPage):
    """Begin to set up an authenticator app or a passkey; the answer is the second step, which shows what the app or the
    browser needs. It is shown once."""

    template_name = "desk/account/new_factor.html"
    form_class = NewFactorForm

    @property
    def kind(self) -> str:
        """`totp` or `passkey`."""
        kind: str = self.kwargs["kind"]
        if kind not in KINDS:
            raise NotFound
        return kind

    def context(self) -> dict[str, Any]:
        return {**super().context(), "kind": self.kind}

    def save(self, form: ApiForm) -> HttpResponseBase:
        begun = self.send("POST", "second-factors", {**form.body(), "kind": self.kind})
        step = NewPasskeyForm() if self.kind == "passkey" else AppCodeForm()
        begun["options_json"] = orjson.dumps(begun["options"]).decode()
        shown = {"kind": self.kind, "form": step, "begun": begun}
        return self.render(shown, template=ConfirmFactor.template_name)

    def shown_again(self) -> dict[str, Any]:
        return {"kind": self.kind}


class ConfirmFactor(AccountPage):
    """Confirm a new second factor. The recovery codes that come with the first one are shown once."""

    template_name = "desk/account/confirm_factor.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.redirect("desk:account")

    def submit(self) -> HttpResponseBase:
        key, is_passkey = self.kwargs["id"], "passkey" in self.request.POST
        form = (NewPasskeyForm if is_passkey else AppCodeForm)(self.request.POST)
        status = 400
        if form.is_valid():
            try:
                made = self.send("POST", "second-factor-confirmation", form.body(), id=key)
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                self.say(gettext("The second factor is set up."))
                codes = made["recovery_codes"]
                return self.show_codes(codes) if codes else self.redirect("desk:account")
        kind = "passkey" if is_passkey else "totp"
        return self.render({"kind": kind, "form": form, "again": key}, status=status)

    def show_codes(self, codes: list[str]) -> HttpResponseBase:
        """Show new recovery codes."""
        return self.render({"codes": codes}, template="desk/account/recovery_codes.html")


class RemoveFactor(AccountPage):
    """Remove a second factor, after a question."""

    template_name = "desk/account/remove_factor.html"

    def context(self) -> dict[str, Any]:
        return {"factor": self.ask("second-factor", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        try:
            self.send("DELETE", "second-factor", id=self.kwargs["id"])
        except Refused as error:
            if error.code == NotFound.code:
                raise
            return self.render({**self.read_context(), "fault": error.message}, status=error.status)
        return self.redirect("desk:account", gettext("The second factor is removed."))


class RecoveryCodes(FormPage):
    """Replace one's recovery codes. The new ones are shown once."""

    template_name = "desk/account/recovery_codes.html"
    form_class = OwnPasswordForm

    def save(self, form: ApiForm) -> HttpResponseBase:
        made = self.send("POST", "recovery-codes", form.body())
        return self.render({"codes": made["recovery_codes"]})
