"""Where a browser arrives, signs in and out, and sets a password."""

from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from django import forms
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from shared_apps.accounts import passwords, second_step
from shared_apps.accounts.models import Role, User
from shared_apps.accounts.oidc.errors import IdentityProviderNotConfigured
from shared_apps.accounts.oidc.settings import enabled_provider
from shared_apps.accounts.passkeys import PasskeyCopied, PasskeyInvalid, PasskeyTaken
from shared_apps.accounts.second_factors import Proof, SecondFactorInvalid
from shared_apps.accounts.second_step import SecondFactorRequired
from shared_apps.accounts.sessions import lock_verified_user, verify_password
from shared_apps.accounts.throttling import PER_ADDRESS, count_attempt
from tatami.api.request import client_address, client_of, requested_host
from tatami.errors import DomainError, InvalidCredentials, NotFound, Throttled, TokenExpired, TokenInvalid
from tenant_apps.desk.account.forms import checked_passkey
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, JsonField
from tenant_apps.desk.page import Page
from tenant_apps.desk.sessions import begin_impersonation, end_page_session, impersonation, open_page_session

KNOWN_PROVIDERS: Final = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}
"""Hosts of issuers that people know by another name."""


class Entry(Page):
    """The address of the dojo alone: leads to where the role belongs. Programs get a 404."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if "text/html" not in self.request.headers.get("Accept", ""):
            raise NotFound
        if self.user is None:
            return HttpResponseRedirect(reverse("desk:sign-in"))
        return HttpResponseRedirect(reverse(home_of(self.user.role)))


def home_of(role: str) -> str:
    """Return the route of the page where a role begins."""
    return "desk:family" if role == Role.STUDENT else "desk:today"


class SignInForm(ApiForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )
    next = forms.CharField(required=False, widget=forms.HiddenInput)


class CodeForm(ApiForm):
    """The second step: a code, or what `passkey.js` sends in its place."""

    code = forms.CharField(
        label=gettext_lazy("Code of your authenticator, or a recovery code"),
        max_length=40,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True}),
    )
    challenge = forms.CharField(max_length=500, widget=forms.HiddenInput)
    passkey = JsonField(required=False, widget=forms.HiddenInput)
    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        if data and data.get("passkey"):
            self.fields["code"].required = False

    def clean_passkey(self) -> dict[str, Any] | None:
        """Return what the browser has made or signed, or `None`."""
        passkey = self.cleaned_data["passkey"]
        return None if passkey is None else checked_passkey(passkey, self.data["passkey"])


class PasskeyForm(ApiForm):
    """What `passkey.js` sends: the challenge, and what the browser has signed."""

    challenge = forms.CharField(max_length=500)
    passkey = JsonField()
    next = forms.CharField(required=False)

    def clean_passkey(self) -> dict[str, Any]:
        """Return what the browser has signed."""
        return checked_passkey(self.cleaned_data["passkey"], self.data["passkey"])


class SignIn(Page):
    """E-mail address and password, then a code or a passkey where the user has a second factor, or needs one."""

    template_name = "desk/sign_in/sign_in.html"

    @property
    def provider_name(self) -> str:
        """The name of the identity provider with which users may sign in; empty if there is none. One statement."""
        try:
            issuer = enabled_provider().issuer
        except IdentityProviderNotConfigured:
            return ""
        host = urlsplit(issuer).hostname or ""
        return KNOWN_PROVIDERS.get(host, host)

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.user is not None:
            return HttpResponseRedirect(self.target(self.query("next"), self.user.role))
        return self.render({"form": SignInForm(initial={"next": self.query("next")})})

    def submit(self) -> HttpResponseBase:
        if "enrol" in self.request.POST:
            return self.enrol()
        if "code" in self.request.POST:
            return self.second_step()
        if self.request.POST.get("passkey"):
            return self.passkey()
        return self.password()

    def password(self) -> HttpResponseBase:
        """Respond to an address and a password."""
        form = SignInForm(self.request.POST)
        if not form.is_valid():
            return self.render({"form": form}, status=400)
        values, address = form.cleaned_data, client_address(self.request)
        try:
            verified = verify_password(
                email=values["email"], password=values["password"], address=address, now=self.now
            )
            second_step.require_no_second_factor(verified, host=requested_host(self.request), now=self.now)
        except SecondFactorRequired as error:
            return self.ask_for_code(error, values["next"])
        except (InvalidCredentials, Throttled) as error:
            return self.refused(form, error)
        with transaction.atomic():
            user = lock_verified_user(verified)
            response = HttpResponseRedirect(self.target(values["next"], user.role))
            self.open_session(user, response)
        return response

    def open_session(self, user: User, response: HttpResponseBase) -> None:
        """Open the session of the page."""
        open_page_session(user, response, client=client_of(self.request), now=self.now)

    def ask_for_code(self, error: SecondFactorRequired, wanted: str) -> HttpResponseBase:
        """Show the second step. Who needs a second factor and has none sets it up here."""
        details = error.details or {}
        challenge = details["challenge"]
        if details["enrolment_needed"]:
            return self.show_enrolment(challenge, wanted, kind="totp")
        form = CodeForm(initial={"challenge": challenge, "next": wanted})
        options = orjson.dumps(details["passkey"]).decode() if details["passkey"] else ""
        return self.render({"form": form, "is_second_step": True, "passkey_options": options})

    def show_enrolment(self, challenge: str, wanted: str, *, kind: str) -> HttpResponseBase:
        """Begin to set up the second factor that the role needs, and show what the app or the browser needs for it."""
        with transaction.atomic():
            enrolment = second_step.enrol_by_challenge(
                challenge=challenge, kind=kind, host=requested_host(self.request), now=self.now
            )
        form = CodeForm(initial={"challenge": challenge, "next": wanted})
        options = orjson.dumps(enrolment.options).decode() if enrolment.options else ""
        return self.render(
            {"form": form, "is_second_step": True, "enrolment": enrolment, "creation_options": options}
        )

    def enrol(self) -> HttpResponseBase:
        """Set up the other kind of second factor, before the first sign-in with it."""
        asked = self.request.POST
        kind = "passkey" if asked["enrol"] == "passkey" else "totp"
        try:
            return self.show_enrolment(asked.get("challenge", ""), asked.get("next", ""), kind=kind)
        except (InvalidCredentials, TokenInvalid, TokenExpired):
            return self.begin_again(asked.get("next", ""))

    def begin_again(self, wanted: str, *, status: int = 401) -> HttpResponseBase:
        """Show the first step, because the challenge of the second is not valid any more."""
        form = SignInForm(initial={"next": wanted})
        notice = gettext("That took too long. Sign in again.")
        return self.render({"form": form, "notice": notice}, status=status)

    def second_step(self) -> HttpResponseBase:
        """Respond to the code of an authenticator. The first code of a new one is answered with the recovery codes."""
        form = CodeForm(self.request.POST)
        if not form.is_valid():
            return self.render({"form": form, "is_second_step": True}, status=400)
        values = form.cleaned_data
        response = HttpResponse()
        try:
            user, _, new_codes = second_step.verify_second_step(
                lambda user: self.open_session(user, response),
                challenge=values["challenge"],
                proof=self.proof(code=values["code"], passkey=values["passkey"]),
                now=self.now,
            )
        except (SecondFactorInvalid, PasskeyInvalid, PasskeyCopied, PasskeyTaken, Throttled) as error:
            return self.refused(form, error, is_second_step=True)
        except (InvalidCredentials, TokenInvalid, TokenExpired):
            return self.begin_again(values["next"])
        target = self.target(values["next"], user.role)
        if new_codes:
            response.content = self.render_text({"recovery_codes": new_codes, "target": target})
        else:
            response.status_code, response["Location"] = 302, target
        return response

    def passkey(self) -> HttpResponseBase:
        """Respond to what a passkey has signed: it needs neither password nor code."""
        form, response = PasskeyForm(self.request.POST), HttpResponse(status=302)
        if not form.is_valid():
            return self.refused(SignInForm(), PasskeyInvalid())
        values = form.cleaned_data
        proof = self.proof(passkey=values["passkey"])
        try:
            count_attempt(PER_ADDRESS, proof.address, now=self.now)
            with second_step.audited_copies(proof.address, now=self.now), transaction.atomic():
                user = second_step.verify_passkey(challenge=values["challenge"], proof=proof, now=self.now)
                self.open_session(user, response)
        except (PasskeyCopied, PasskeyInvalid, Throttled, TokenExpired, TokenInvalid) as error:
            return self.refused(SignInForm(initial={"next": values["next"]}), error)
        response["Location"] = self.target(values["next"], user.role)
        return response

    def proof(self, **shown: Any) -> Proof:
        """Return a second factor with the place where it is shown."""
        return Proof(host=requested_host(self.request), address=client_address(self.request), **shown)

    def refused(self, form: ApiForm, error: DomainError, **context: Any) -> HttpResponseBase:
        """Show the form again with the reason."""
        if form.is_bound:
            form.add_error(None, error.message)
        else:
            context["fault"] = error.message
        response = self.render({"form": form, **context}, status=error.status)
        if isinstance(error, Throttled):
            response["Retry-After"] = str(error.retry_after)
        return response

    def target(self, wanted: str, role: str) -> str:
        """Return where to go after the sign-in."""
        return self.local_target(wanted, reverse(home_of(role)))


class SignOut(Page):
    """End the session. Only a POST does so, so that no other site can sign the user out."""

    def submit(self) -> HttpResponseBase:
        impersonated = self.session is not None and self.session.token is not None
        response = self.redirect("desk:entry" if impersonated else "desk:sign-in")
        with transaction.atomic():
            end_page_session(self.session, response, now=self.now)
        return response


class ForgotForm(ApiForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "username", "autofocus": True}),
    )


class ForgotPassword(Page):
    """Ask for a link to set a new password. The page is the same whether the address is known or not."""

    template_name = "desk/sign_in/forgot.html"

    def context(self) -> dict[str, Any]:
        return {"form": ForgotForm()}

    def submit(self) -> HttpResponseBase:
        form = ForgotForm(self.request.POST)
        if not form.is_valid():
            return self.render({"form": form}, status=400)
        try:
            passwords.request_link(
                email=form.cleaned_data["email"], address=client_address(self.request), now=self.now
            )
        except Throttled as error:
            form.add_error(None, error.message)
            return self.render({"form": form}, status=error.status)
        return self.render({"sent": True})


class NewPasswordForm(ApiForm):
    secret = forms.CharField(required=False, widget=forms.HiddenInput({"data-from-fragment": ""}))
    new_password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=256,
        strip=False,
        help_text=gettext_lazy("At least ten characters."),
        widget=forms.PasswordInput({"autocomplete": "new-password", "autofocus": True}),
    )


class SetPassword(Page):
    """The page of a mailed link. The link's secret is in its fragment, which no server and no log sees until the form
    is sent; opening the page uses nothing up."""

    template_name = "desk/sign_in/set_password.html"

    def context(self) -> dict[str, Any]:
        return {"form": NewPasswordForm()}

    def submit(self) -> HttpResponseBase:
        form = NewPasswordForm(self.request.POST)
        if not form.is_valid():
            return self.render({"form": form}, status=400)
        try:
            passwords.use_link(
                secret=form.cleaned_data["secret"],
                new=form.cleaned_data["new_password"],
                address=client_address(self.request),
                now=self.now,
            )
        except DomainError as error:
            form.add_refusal(Refused(error.status, error.envelope()))
            return self.render(
                {"form": form, "is_used": isinstance(error, TokenInvalid)}, status=error.status
            )
        return self.redirect("desk:sign-in", gettext("Your password is set. Sign in with it."))


class ImpersonationForm(ApiForm):
    access = forms.CharField(widget=forms.HiddenInput({"data-from-fragment": ""}))


class Impersonate(Page):
    """Begin to act as a user. The console leads a superadmin here, with the token in the fragment of the address."""

    template_name = "desk/sign_in/impersonate.html"

    def context(self) -> dict[str, Any]:
        return {"form": ImpersonationForm()}

    def submit(self) -> HttpResponseBase:
        text = self.request.POST.get("access", "")
        if impersonation(text, now=self.now) is None:
            form = ImpersonationForm()
            return self.render({"form": form, "fault": TokenInvalid().message}, status=400)
        response = self.redirect("desk:entry")
        begin_impersonation(text, response)
        return response
