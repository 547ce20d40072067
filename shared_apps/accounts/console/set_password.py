"""The page of the link that is mailed to a superadmin who has to set a password.

The secret is in the fragment of the address, which no server and no log sees until the form is sent.
"""

from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminPasswordWidget

from shared_apps.accounts.passwords import use_link
from tatami import clock
from tatami.api.request import client_address
from tatami.errors import DomainError, Invalid


class NewPasswordForm(forms.Form):
    """The new password, and the secret of the link, which a script takes from the address."""

    secret = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-from-fragment": ""}))
    new_password = forms.CharField(
        max_length=256,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password", "autofocus": True}),
    )


def set_password(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Show the form, or set the password and lead to the sign-in."""
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _use(form, request):
        return HttpResponseRedirect(reverse("admin:login"))
    context: dict[str, Any] = {**site.each_context(request), "title": "Set a password", "form": form}
    status = 400 if form.is_bound else 200
    return TemplateResponse(request, "console/set_password.html", context, status=status)


def _use(form: NewPasswordForm, request: HttpRequest) -> bool:
    """Return whether the password is set; if not, the form has the reason."""
    try:
        use_link(
            secret=form.cleaned_data["secret"],
            new=form.cleaned_data["new_password"],
            address=client_address(request),
            now=clock.now(),
        )
    except Invalid as error:
        for messages in (error.details or {}).values():
            form.add_error("new_password", messages)
    except DomainError as error:
        form.add_error(None, error.message)
    return not form.errors
