"""The forms of the console about dojos."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from shared_apps.tenants.provisioning import FirstAdmin
from shared_apps.tenants.serializers import NewTenantSerializer
from tatami.api.exception_mapping import NON_FIELD, dotted_paths


def _line(label: str, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=UnfoldAdminTextInputWidget(), **options)


class NewTenantForm(forms.Form):
    """A new dojo, by the rules of `POST /tenants`. Its admin is mailed a link to set a password."""

    name = _line("Name", max_length=200)
    slug = _line("Slug", max_length=40, help_text="Its subdomain. It stays what it is.")
    timezone = _line("Time zone", max_length=64, initial="UTC", help_text="Such as Europe/Berlin.")
    admin_email = forms.EmailField(label="Admin's e-mail", widget=UnfoldAdminEmailInputWidget())
    admin_name = _line("Admin's name", max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        """Ask the serializer of the API, which knows the rules."""
        given = self.cleaned_data
        admin = {"email": given.get("admin_email", ""), "name": given.get("admin_name", "")}
        serializer = NewTenantSerializer(
            data={**{name: given.get(name, "") for name in ("name", "slug", "timezone")}, "admin": admin}
        )
        if not self.errors and not serializer.is_valid():
            self.add_faults(dotted_paths(serializer.errors))
        return given

    def add_faults(self, faults: dict[str, list[str]]) -> None:
        """Show what the rules say, at the field that it is about."""
        for path, said in faults.items():
            name = path.replace(".", "_")
            self.add_error(name if name in self.fields else None, said)

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        given = self.cleaned_data
        admin = FirstAdmin(email=given["admin_email"], name=given["admin_name"])
        return {**{name: given[name] for name in ("name", "slug", "timezone")}, "admin": admin}


class ImpersonationForm(forms.Form):
    """Why, and as whom."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(),
        help_text="The dojo's own audit shows it, with your name.",
    )
    user = forms.UUIDField(
        label="User's id",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Left out: its first active admin.",
    )

    def add_faults(self, faults: dict[str, Any]) -> None:
        """Show what the rules say, at the field that it is about."""
        for name, said in faults.items():
            self.add_error(None if name == NON_FIELD else name, said)


class DeletionForm(forms.Form):
    """The slug, typed: nobody deletes a dojo by a slip of the mouse."""

    confirm = _line("Slug", max_length=40, help_text="Type the dojo's slug.")

    def __init__(self, slug: str, data: Any = None) -> None:
        super().__init__(data)
        self.slug = slug

    def clean_confirm(self) -> str:
        """Refuse another slug."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.slug:
            raise forms.ValidationError("This must be the dojo's slug.")
        return typed
