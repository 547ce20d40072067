"""The forms of the console's pages about tenants."""

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from shared_apps.tenants.provisioning import FirstAdmin
from shared_apps.tenants.serializers import NewTenantSerializer
from tatami.api.exception_mapping import dotted_paths


def _text_field(label: str, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=UnfoldAdminTextInputWidget(), **options)


class _ApiForm(forms.Form):
    """A form that shows the errors of the API."""

    def add_errors(self, errors: Mapping[str, Any]) -> None:
        """Show each error (dotted path → messages) at its field, or above the form."""
        for path, messages in errors.items():
            name = path.replace(".", "_")
            self.add_error(name if name in self.fields else None, messages)


class NewTenantForm(_ApiForm):
    """A new tenant, by the rules of `POST /tenants`. Its admin is mailed a link to set a password."""

    name = _text_field("Name", max_length=200)
    slug = _text_field("Slug", max_length=40, help_text="Its subdomain.")
    timezone = _text_field("Time zone", max_length=64, initial="UTC", help_text="For example Europe/Berlin.")
    admin_email = forms.EmailField(label="Admin's e-mail", widget=UnfoldAdminEmailInputWidget())
    admin_name = _text_field("Admin's name", max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        """Validate with the serializer of the API."""
        given = self.cleaned_data
        admin = {"email": given.get("admin_email", ""), "name": given.get("admin_name", "")}
        serializer = NewTenantSerializer(
            data={**{name: given.get(name, "") for name in ("name", "slug", "timezone")}, "admin": admin}
        )
        if not self.errors and not serializer.is_valid():
            self.add_errors(dotted_paths(serializer.errors))
        return given

    def values(self) -> dict[str, Any]:
        """Return the arguments of `create_tenant`."""
        given = self.cleaned_data
        admin = FirstAdmin(email=given["admin_email"], name=given["admin_name"])
        return {**{name: given[name] for name in ("name", "slug", "timezone")}, "admin": admin}


class ImpersonationForm(_ApiForm):
    """The reason for an impersonation, and the user."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(),
        help_text="The dojo's own audit trail shows it, with your name.",
    )
    user = forms.UUIDField(
        label="User's id",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Default: its first active admin.",
    )


class DeletionForm(forms.Form):
    """The confirmation of a deletion: the slug must be typed, so that a single click cannot delete a tenant."""

    confirm = _text_field("Slug", max_length=40, help_text="Type the dojo's slug.")

    def __init__(self, slug: str, data: Any = None) -> None:
        super().__init__(data)
        self.slug = slug

    def clean_confirm(self) -> str:
        """Refuse any other text."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.slug:
            raise forms.ValidationError("This must be the dojo's slug.")
        return typed
