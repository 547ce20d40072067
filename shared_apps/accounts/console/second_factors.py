"""The page "My second factors" of a superadmin: the list, adding and removing one, new recovery codes.

It calls the services of `/me/second-factors` and `/me/recovery-codes`, with the same rows in the audit.
"""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from shared_apps.accounts import second_factors
from shared_apps.accounts.console.enrolment import (
    PROOF_ERRORS,
    FirstPasskeyForm,
    Kind,
    factor_steps,
    first_proof_form,
    show_codes,
)
from shared_apps.accounts.console.pages import View, audit_page, console_session, proof_of
from shared_apps.accounts.models import Role, SecondFactor
from shared_apps.accounts.second_factors import (
    AlreadyConfirmed,
    SecondFactorInvalid,
    SecondFactorNeeded,
    TooManySecondFactors,
)
from tatami import clock
from tatami.api.request import requested_host
from tatami.errors import DomainError, InvalidCredentials, Throttled, TokenExpired

TITLE: Final = "My second factors"
_OVERVIEW: Final = "admin:second_factors"


class OwnPasswordForm(forms.Form):
    """One's own password, which new second factors and recovery codes need."""

    password = forms.CharField(
        label="Your password",
        max_length=256,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


class NewFactorForm(OwnPasswordForm):
    """What begins to set up a second factor."""

    name = forms.CharField(
        label="Name, such as “My phone”",
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    field_order = ("name", "password")


def second_factor_pages(site: AdminSite) -> list[URLPattern]:
    """Return the routes of these pages. Without a session they lead to the sign-in."""
    pages: dict[str, tuple[str, View]] = {
        "second_factors": ("second-factors/", overview),
        "second_factor_codes": ("second-factors/recovery-codes/", new_codes),
        "second_factor_rule": ("second-factors/rule/", rule),
        "second_factor_new": ("second-factors/new/<slug:kind>/", new_factor),
        "second_factor_confirm": ("second-factors/<uuid:id>/confirm/", confirm),
        "second_factor_remove": ("second-factors/<uuid:id>/remove/", remove),
    }
    return [
        path(route, site.admin_view(partial(page, site=site)), name=name)
        for name, (route, page) in pages.items()
    ]


def overview(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Show one's own second factors, and whether superadmins need one."""
    user = console_session(request).user
    found = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False)
    factors = list(found.select_related("passkey").order_by("created_at", "pk"))
    shown = {"factors": factors, "is_needed": second_factors.is_needed(user)}
    return _page(request, site, "console/second_factors.html", shown)


def rule(request: HttpRequest, *, site: AdminSite) -> HttpResponse:  # noqa: ARG001 - as the other pages
    """Set whether superadmins need a second factor (`needed`: `yes` or `no`). Repeating it changes nothing more."""
    roles = {"yes": [Role.ADMIN.value], "no": []}.get(request.POST.get("needed", ""))
    if roles is not None:
        with transaction.atomic():
            second_factors.change_policy(roles)
            audit_page(
                request, "sign-in-policy.patch", None, now=clock.now(), fields=("second_factor_roles",)
            )
        messages.success(request, "The rule is saved.")
    return HttpResponseRedirect(reverse(_OVERVIEW))


def new_factor(request: HttpRequest, kind: str, *, site: AdminSite) -> HttpResponse:
    """Ask for the password, then show what the app or the browser needs. It counts when it is confirmed."""
    if kind not in Kind.values:
        raise Http404
    form = NewFactorForm(request.POST if request.method == "POST" else None)
    title = "Add a passkey" if kind == Kind.PASSKEY else "Add an authenticator app"
    shown = {"title": title, "form": form, "action_label": "Continue"}
    if not form.is_valid():
        return _page(request, site, "console/form.html", shown, status=400 if form.is_bound else 200)
    user, now = console_session(request).user, clock.now()
    try:
        second_factors.check_own_password(user, form.cleaned_data["password"], now=now)
        with transaction.atomic():
            enrolment = second_factors.enrol(
                user=user, name=form.cleaned_data["name"], kind=kind, host=requested_host(request)
            )
            audit_page(
                request,
                "second-factors.post",
                enrolment.factor.pk,
                now=now,
                fields=("kind", "name", "password"),
            )
    except (InvalidCredentials, Throttled) as error:
        return _refused(request, site, form, "password", error, shown)
    except TooManySecondFactors as error:
        return _refused(request, site, form, None, error, shown)
    steps = factor_steps(kind, enrolment=enrolment)
    return _confirm_page(request, site, enrolment.factor.pk, steps)


def confirm(request: HttpRequest, id: UUID, *, site: AdminSite) -> HttpResponse:
    """Confirm a second factor by its first code or passkey. The first one's recovery codes are shown once."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse(_OVERVIEW))
    user, now = console_session(request).user, clock.now()
    factor = _own_factor(request, id)
    form = first_proof_form(request.POST)
    kind = Kind.PASSKEY if isinstance(form, FirstPasskeyForm) else Kind.TOTP
    status = 400
    if form.is_valid():
        proof = proof_of(request, **form.cleaned_data)
        try:
            second_factors.count_proof(user, proof.address, now=now)
            with transaction.atomic():
                codes = second_factors.confirm(factor=factor, proof=proof, now=now)
                audit_page(
                    request, "second-factor-confirmation.post", id, now=now, fields=tuple(form.cleaned_data)
                )
        except (*PROOF_ERRORS, AlreadyConfirmed, TokenExpired) as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            messages.success(request, "The second factor is set up.")
            target = reverse(_OVERVIEW)
            if codes:
                return show_codes(request, site=site, codes=codes, target=target)
            return HttpResponseRedirect(target)
    return _confirm_page(request, site, id, factor_steps(kind, form=form), status=status)


def remove(request: HttpRequest, id: UUID, *, site: AdminSite) -> HttpResponse:
    """Remove a second factor, after a question."""
    factor = _own_factor(request, id)
    form = forms.Form(request.POST if request.method == "POST" else None)
    shown = {
        "title": f"Remove {factor.name or ('the passkey' if factor.kind == Kind.PASSKEY else 'the app')}?",
        "lead": "It does not sign you in any more. With the last one, your recovery codes are removed, too, and the "
        "password alone is enough.",
        "form": form,
        "action_label": "Remove it",
    }
    if not form.is_bound:
        return _page(request, site, "console/form.html", shown)
    form.is_valid()
    try:
        with transaction.atomic():
            second_factors.remove(factor=factor)
            audit_page(request, "second-factor.delete", id, now=clock.now())
    except SecondFactorNeeded as error:
        return _refused(request, site, form, None, error, shown)
    messages.success(request, "The second factor is removed.")
    return HttpResponseRedirect(reverse(_OVERVIEW))


def new_codes(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Replace one's recovery codes. The new ones are shown once."""
    form = OwnPasswordForm(request.POST if request.method == "POST" else None)
    shown = {
        "title": "New recovery codes",
        "lead": "The new codes replace those that you have.",
        "form": form,
        "action_label": "Create new codes",
    }
    if not form.is_valid():
        return _page(request, site, "console/form.html", shown, status=400 if form.is_bound else 200)
    user, now = console_session(request).user, clock.now()
    try:
        second_factors.check_own_password(user, form.cleaned_data["password"], now=now)
        with transaction.atomic():
            codes = second_factors.renew_recovery_codes(user=user)
            audit_page(request, "recovery-codes.post", None, now=now, fields=("password",))
    except (InvalidCredentials, Throttled) as error:
        return _refused(request, site, form, "password", error, shown)
    except SecondFactorInvalid as error:
        return _refused(request, site, form, None, error, shown)
    return show_codes(request, site=site, codes=codes, target=reverse(_OVERVIEW))


def _own_factor(request: HttpRequest, key: UUID) -> SecondFactor:
    factor = SecondFactor.objects.filter(user=console_session(request).user, pk=key).first()
    if factor is None:
        raise Http404
    return factor


def _refused(
    request: HttpRequest,
    site: AdminSite,
    form: forms.Form,
    field: str | None,
    error: DomainError,
    shown: dict[str, Any],
) -> HttpResponse:
    """Show the form again, with the reason at its field, or above the form."""
    form.add_error(field, error.message)
    response = _page(request, site, "console/form.html", shown, status=error.status)
    if isinstance(error, Throttled):
        response["Retry-After"] = str(error.retry_after)
    return response


def _confirm_page(
    request: HttpRequest, site: AdminSite, key: UUID, steps: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    title = "Add a passkey" if steps["kind"] == Kind.PASSKEY else "Add an authenticator app"
    shown = {"title": title, "factor_id": key, **steps}
    return _page(request, site, "console/confirm_factor.html", shown, status=status)


def _page(
    request: HttpRequest, site: AdminSite, template: str, shown: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    context = {**site.each_context(request), "title": TITLE, "back": reverse(_OVERVIEW), **shown}
    return TemplateResponse(request, template, context, status=status)
