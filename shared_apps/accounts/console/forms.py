"""The console's sign-in form."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget


class SignInForm(forms.Form):
    """An address and a password, as `/auth/login` takes them. The names are those of unfold's template."""

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

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
