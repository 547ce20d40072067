"""What the sign-in forms of the console and of a dojo's pages share."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext

MOST_PASSKEY_CHARACTERS: Final = 16 * 1024


class PasskeyField(forms.JSONField):
    """What `passkey.js` fills in: the JSON of what the browser has made or signed. `None` if it is empty.

    Django's field expects faults of the notation, and fails for a number of thousands of digits, or deep nesting.
    """

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        """Return the value. Raises `ValidationError`."""
        not_a_passkey = forms.ValidationError(gettext("This is not a passkey."))
        if isinstance(value, str) and len(value) > MOST_PASSKEY_CHARACTERS:
            raise not_a_passkey
        try:
            passkey = super().to_python(value)
        except (ValueError, RecursionError, forms.ValidationError):
            raise not_a_passkey from None
        if passkey is not None and not isinstance(passkey, dict):
            raise not_a_passkey
        return passkey

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what the form shows again."""
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return None
