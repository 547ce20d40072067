"""The admin site of the console: its sign-in form, and which pages it has. `pages` has what all of them share."""

from functools import partial
from typing import Any, Final

from django import forms
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.sites import UnfoldAdminSite
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from shared_apps.accounts.console.enrolment import enrol, show_enrolment
from shared_apps.accounts.console.pages import (
    PATH,
    add_session_cookie,
    console_session,
    console_view,
    delete_session_cookie,
    proof_of,
)
from shared_apps.accounts.console.second_factors import second_factor_pages
from shared_apps.accounts.console.set_password import set_password
from shared_apps.accounts.console.sign_in import sign_in, sign_in_with_passkey, sign_out
from shared_apps.accounts.forms import PasskeyField
from shared_apps.accounts.passkeys import PasskeyCopied, PasskeyInvalid
from shared_apps.accounts.second_factors import SecondFactorInvalid
from shared_apps.accounts.second_step import SecondFactorRequired
from tatami import clock
from tatami.api.exception_mapping import error_response
from tatami.errors import InvalidCredentials, PermissionDenied, Throttled, TokenExpired, TokenInvalid

CODE_NEEDED: Final = "Enter the code of your authenticator, too, or sign in with a passkey."
SIGN_IN_ERRORS: Final = (
    InvalidCredentials,
    PasskeyCopied,
    PasskeyInvalid,
    SecondFactorInvalid,
    Throttled,
    TokenExpired,
    TokenInvalid,
)


def _filled_by_script() -> forms.HiddenInput:
    return forms.HiddenInput(attrs={"form": "login-form"})


class SignInForm(forms.Form):
    """E-mail address and password, as `/auth/login` takes them. The template of unfold requires these field names."""

    username = forms.CharField(
        label="E-mail",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        max_length=256,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )

    code = forms.CharField(
        label="Code of your authenticator, if you have set one up",
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "form": "login-form"}),
    )
    """Outside the form element, because the template of unfold shows two fields; the attribute `form` links it."""

    challenge = forms.CharField(max_length=500, required=False, widget=_filled_by_script())
    passkey = PasskeyField(required=False, widget=_filled_by_script())
    """What `passkey.js` fills in, before it sends the form. Then the other fields may be empty."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        if data and data.get("passkey"):
            self.fields["username"].required = self.fields["password"].required = False


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the response to a form that does not come from this console. Django's CSRF_FAILURE_VIEW."""
    return error_response(
        PermissionDenied(f"This form was not sent from this page. {reason}".strip()), request
    )


def entry(request: HttpRequest) -> HttpResponse:
    """Redirect a browser that opens `/` on the platform host to the console. Other clients get a 404."""
    if "text/html" not in request.META.get("HTTP_ACCEPT", ""):
        raise Http404
    return HttpResponseRedirect(PATH)


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    """Django's admin for superadmins. Changes are recorded in our audit log, not in Django's admin log."""

    login_form = SignInForm
    index_title = "Dojos"
    final_catch_all_view = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the pages, each wrapped in `console_view`, without those that are not supported here."""
        found: list[URLPattern | URLResolver] = super().get_urls()
        found[:0] = [
            path("set-password/", partial(set_password, site=self), name="set_password"),
            path("login/second-factor/", partial(enrol, site=self), name="enrol"),
            *second_factor_pages(self),
        ]
        _wrap_views(found)
        return found

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the request has a session; only superadmins have one."""
        return getattr(request, "console_session", None) is not None

    def get_log_entries(self, request: HttpRequest) -> "QuerySet[LogEntry]":
        """Return nothing: the table of Django's admin log does not exist here."""
        return LogEntry.objects.none()

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Redirect to the list of dojos."""
        return HttpResponseRedirect(reverse("admin:tenants_tenant_changelist"))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the sign-in form, or sign in and redirect to `next` if it is a local address."""
        wanted = request.GET.get("next", "")
        target = wanted if url_has_allowed_host_and_scheme(wanted, None) else reverse("admin:index")
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(target)
        form = SignInForm(request.POST if request.method == "POST" else None)
        try:
            cookie = _sign_in(form, request)
        except SecondFactorRequired as error:
            challenge = (error.details or {})["challenge"]
            return show_enrolment(request, site=self, challenge=challenge, wanted=wanted)
        if cookie is None:
            context = {"title": "Sign in", "form": form, "app_path": request.get_full_path()}
            context = {**self.each_context(request), **context, **(extra_context or {})}
            return TemplateResponse(request, "console/sign_in.html", context)
        response = HttpResponseRedirect(target)
        add_session_cookie(response, cookie)
        return response

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """End the session. Only a POST does so, so that no other site can sign the user out."""
        if request.method == "POST":
            sign_out(console_session(request), now=clock.now())
        response = HttpResponseRedirect(reverse("admin:login" if request.method == "POST" else "admin:index"))
        if request.method == "POST":
            delete_session_cookie(response)
        return response


_UNSUPPORTED: Final = frozenset(
    {None, "password_change", "password_change_done", "autocomplete", "search", "view_on_site"}
)
"""Routes of Django and unfold that the console does not have. Routes without a name are old redirects."""


def _wrap_views(patterns: list[URLPattern | URLResolver]) -> None:
    patterns[:] = [one for one in patterns if isinstance(one, URLResolver) or one.name not in _UNSUPPORTED]
    for one in patterns:
        if isinstance(one, URLResolver):
            _wrap_views(one.url_patterns)
        else:
            one.callback = console_view(one.callback)


def _sign_in(form: SignInForm, request: HttpRequest) -> str | None:
    """Return the value of the cookie, or None and add the error to the form.

    Raises `SecondFactorRequired` for a superadmin who needs a second factor and has to set one up.
    """
    if not form.is_bound or not form.is_valid():
        return None
    data, now = form.cleaned_data, clock.now()
    try:
        if data["passkey"]:
            proof = proof_of(request, passkey=data["passkey"])
            return sign_in_with_passkey(challenge=data["challenge"], proof=proof, now=now)
        proof = proof_of(request, code=data["code"])
        return sign_in(email=data["username"], password=data["password"], proof=proof, now=now)
    except SecondFactorRequired as error:
        if (error.details or {})["enrolment_needed"]:
            raise
        form.add_error(None, CODE_NEEDED)
    except SIGN_IN_ERRORS as error:
        form.add_error(None, error.message)
    return None


console: Final = ConsoleSite(name="admin")
