"""The forms of a user's own account."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from shared_apps.accounts.forms import PasskeyField
from tenant_apps.desk.forms import ApiForm


def password_field(label: Any, *, is_new: bool = False, **more: Any) -> forms.CharField:
    """Return a field for a password. Its length is limited, because hashing a long text is slow."""
    kind = "new-password" if is_new else "current-password"
    widget = forms.PasswordInput({"autocomplete": kind})
    return forms.CharField(label=label, max_length=256, strip=False, widget=widget, **more)


class NameForm(ApiForm):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=200, widget=forms.TextInput({"autocomplete": "name"})
    )


class PasswordForm(ApiForm):
    current_password = password_field(gettext_lazy("Current password"))
    new_password = password_field(
        gettext_lazy("New password"), is_new=True, help_text=gettext_lazy("At least ten characters.")
    )


class NewFactorForm(ApiForm):
    """What begins to set up an authenticator app or a passkey."""

    name = forms.CharField(label=gettext_lazy("Name, such as “My phone”"), max_length=100, required=False)
    password = password_field(gettext_lazy("Your password"))


class OwnPasswordForm(ApiForm):
    password = password_field(gettext_lazy("Your password"))


class AppCodeForm(ApiForm):
    """The first code of an authenticator app."""

    code = forms.CharField(
        label=gettext_lazy("Code that the app shows"),
        max_length=40,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class NewPasskeyForm(ApiForm):
    """What `passkey.js` sends: what the browser has made."""

    passkey = PasskeyField()
