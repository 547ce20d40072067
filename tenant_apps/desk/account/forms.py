"""The forms of a user's own account."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.forms import ApiForm, JsonField

MOST_PASSKEY_CHARACTERS: Final = 16 * 1024


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
    """What `new-passkey.js` sends: what the browser has made."""

    passkey = JsonField(widget=forms.HiddenInput)

    def clean_passkey(self) -> dict[str, Any]:
        """Return what the browser has made."""
        return checked_passkey(self.cleaned_data["passkey"], self.data["passkey"])


def checked_passkey(passkey: Any, text: str) -> dict[str, Any]:
    """Return what a browser has made or signed, if it can be that. Raises `ValidationError`."""
    if not isinstance(passkey, dict) or len(text) > MOST_PASSKEY_CHARACTERS:
        raise forms.ValidationError(gettext("This is not a passkey."))
    return passkey
