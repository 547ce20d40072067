"""Setting up the second factor that a superadmin needs, between the password and the first session with it.

The sign-in shows this page where `require_no_second_factor` says `enrolment_needed`. The challenge of the password is
in the form; the first code or passkey opens the session, and the recovery codes are shown once.
"""

from typing import Any, Final

import orjson
from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.widgets import UnfoldAdminTextInputWidget

from shared_apps.accounts.console.pages import add_session_cookie, proof_of
from shared_apps.accounts.console.sign_in import complete_enrolment
from shared_apps.accounts.forms import PasskeyField
from shared_apps.accounts.models import SecondFactor
from shared_apps.accounts.passkeys import PasskeyCopied, PasskeyInvalid, PasskeyTaken
from shared_apps.accounts.second_factors import Enrolment, SecondFactorInvalid
from shared_apps.accounts.second_step import enrol_by_challenge
from tatami import clock
from tatami.api.request import requested_host
from tatami.errors import DomainError, InvalidCredentials, Throttled, TokenExpired, TokenInvalid

Kind = SecondFactor.Kind

PROOF_ERRORS: Final = (SecondFactorInvalid, PasskeyInvalid, PasskeyCopied, PasskeyTaken, Throttled)
"""What a user can correct on the page where they show a second factor."""
_TOO_LATE: Final = (InvalidCredentials, TokenExpired, TokenInvalid)


class FirstCodeForm(forms.Form):
    """The first code of an authenticator app."""

    code = forms.CharField(
        label="Code that the app shows",
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


class FirstPasskeyForm(forms.Form):
    """What the browser has made."""

    passkey = PasskeyField()


def first_proof_form(data: Any) -> forms.Form:
    """Return the form of the first code or of the new passkey, whichever was sent."""
    return FirstPasskeyForm(data) if "passkey" in data else FirstCodeForm(data)


def factor_steps(
    kind: str, *, enrolment: Enrolment | None = None, form: forms.Form | None = None
) -> dict[str, Any]:
    """Return what `console/factor_steps.html` shows: `enrolment` if the factor has just been begun, and the form."""
    return {
        "kind": kind,
        "enrolment": enrolment,
        "options": orjson.dumps(enrolment.options).decode() if enrolment and enrolment.options else "",
        "form": form or (FirstPasskeyForm() if kind == Kind.PASSKEY else FirstCodeForm()),
    }


def show_enrolment(
    request: HttpRequest, *, site: AdminSite, challenge: str, wanted: str, kind: str = Kind.TOTP
) -> HttpResponse:
    """Begin to set up a second factor, and show what the app or the browser needs for it.

    Raises `TokenInvalid`, `TokenExpired` and `InvalidCredentials` for the challenge.
    """
    with transaction.atomic():
        enrolment = enrol_by_challenge(
            challenge=challenge, kind=kind, host=requested_host(request), now=clock.now()
        )
    return _page(request, site, challenge, wanted, factor_steps(kind, enrolment=enrolment))


def enrol(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Answer the form: the first code or passkey opens the session; `enrol` begins again, with either kind."""
    asked = request.POST
    challenge, wanted = asked.get("challenge", ""), asked.get("next", "")
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:login"))
    try:
        if "enrol" in asked:
            kind = Kind.PASSKEY if asked["enrol"] == Kind.PASSKEY else Kind.TOTP
            return show_enrolment(request, site=site, challenge=challenge, wanted=wanted, kind=kind)
        return _complete(request, site, challenge, wanted)
    except _TOO_LATE:
        messages.error(request, "That took too long. Sign in again.")
        return HttpResponseRedirect(reverse("admin:login"))


def _complete(request: HttpRequest, site: AdminSite, challenge: str, wanted: str) -> HttpResponse:
    form = first_proof_form(request.POST)
    kind = Kind.PASSKEY if isinstance(form, FirstPasskeyForm) else Kind.TOTP
    error: DomainError | None = None
    if form.is_valid():
        try:
            cookie, codes = complete_enrolment(
                challenge=challenge, proof=proof_of(request, **form.cleaned_data), now=clock.now()
            )
        except PROOF_ERRORS as refused:
            error = refused
            form.add_error(None, refused.message)
        else:
            return _signed_in(request, site, cookie, codes, wanted)
    status = error.status if error else 400
    response = _page(request, site, challenge, wanted, factor_steps(kind, form=form), status=status)
    if isinstance(error, Throttled):
        response["Retry-After"] = str(error.retry_after)
    return response


def _signed_in(
    request: HttpRequest, site: AdminSite, cookie: str, codes: list[str], wanted: str
) -> HttpResponse:
    target = wanted if url_has_allowed_host_and_scheme(wanted, None) else reverse("admin:index")
    response: HttpResponse = HttpResponseRedirect(target)
    if codes:
        response = show_codes(request, site=site, codes=codes, target=target, is_signing_in=True)
    add_session_cookie(response, cookie)
    return response


def show_codes(
    request: HttpRequest, *, site: AdminSite, codes: list[str], target: str, is_signing_in: bool = False
) -> TemplateResponse:
    """Show new recovery codes, this once, with a way on to `target`."""
    layout = "unfold/layouts/unauthenticated.html" if is_signing_in else "admin/base_site.html"
    shown = {"title": "Recovery codes", "codes": codes, "target": target, "layout": layout}
    return TemplateResponse(request, "console/recovery_codes.html", {**site.each_context(request), **shown})


def _page(
    request: HttpRequest,
    site: AdminSite,
    challenge: str,
    wanted: str,
    steps: dict[str, Any],
    *,
    status: int = 200,
) -> TemplateResponse:
    shown = {"title": "Set up a second factor", "challenge": challenge, "next": wanted, **steps}
    context = {**site.each_context(request), **shown}
    return TemplateResponse(request, "console/enrolment.html", context, status=status)
