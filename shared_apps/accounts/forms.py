"""What the sign-in forms of the console and of a dojo's pages share."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext

MOST_PASSKEY_CHARACTERS: Final = 16 * 1024


class PasskeyField(forms.JSONField):
    """What `passkey.js` fills in: the JSON of what the browser has made or signed. `None` if it is empty."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > MOST_PASSKEY_CHARACTERS:
            raise forms.ValidationError(gettext("This is not a passkey."))
        passkey = super().to_python(value)
        if passkey is not None and not isinstance(passkey, dict):
            raise forms.ValidationError(gettext("This is not a passkey."))
        return passkey
