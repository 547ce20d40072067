"""The tab “Sign-in”: the OpenID provider with which users of the dojo may sign in."""

import re
from typing import Any

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from shared_apps.accounts.oidc.errors import IdentityProviderNotConfigured
from shared_apps.accounts.oidc.settings import callback_url
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.settings.view import SettingsPage


class ProviderForm(ApiForm):
    """The provider. The client secret that is stored is never shown: an empty field keeps it."""

    issuer = forms.CharField(
        label=gettext_lazy("Issuer"),
        max_length=500,
        widget=forms.URLInput({"placeholder": "https://accounts.google.com", "autocomplete": "off"}),
        help_text=gettext_lazy("The address of the provider, exactly as it writes it."),
    )
    client_id = forms.CharField(
        label=gettext_lazy("Client ID"), max_length=255, widget=forms.TextInput({"autocomplete": "off"})
    )
    client_secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        max_length=500,
        required=False,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    has_no_secret = forms.BooleanField(
        label=gettext_lazy("The provider gave no secret (public client)"), required=False
    )
    email_domains = forms.CharField(
        label=gettext_lazy("Accepted domains of e-mail addresses, one per line"),
        required=False,
        widget=forms.Textarea({"rows": 3, "placeholder": "example.com"}),
        help_text=gettext_lazy("Empty: each address of a user that the provider has verified."),
    )
    is_enabled = forms.BooleanField(label=gettext_lazy("Users may sign in with it"), required=False)

    def __init__(self, data: Any = None, *, provider: dict[str, Any] | None = None) -> None:
        """`provider` is the API's response about the present one, if there is one."""
        domains = "\n".join(provider["email_domains"]) if provider else ""
        super().__init__(data, initial={"is_enabled": True, **(provider or {}), "email_domains": domains})
        if provider and provider["has_client_secret"]:
            self.fields["client_secret"].help_text = gettext("One is stored. Leave this empty to keep it.")

    def clean(self) -> dict[str, Any]:
        """Refuse a secret beside the word that there is none."""
        if self.cleaned_data.get("has_no_secret") and self.cleaned_data.get("client_secret"):
            self.add_error("has_no_secret", gettext("Enter a secret, or tick this, but not both."))
        return self.cleaned_data

    @property
    def domains(self) -> list[str]:
        """The domains that were entered."""
        return [one for one in re.split(r"[\s,;]+", self.cleaned_data["email_domains"]) if one]

    def body(self) -> dict[str, Any]:
        """Return the provider as the API takes it. Without `client_secret` the stored one stays."""
        found = {**super().body(), "email_domains": self.domains}
        if found.pop("has_no_secret"):
            found["client_secret"] = ""
        elif not found["client_secret"]:
            del found["client_secret"]
        return found

    def add_refusal(self, refused: Refused) -> None:
        """Show the messages of the API at their fields; one about a domain names it."""
        domains = self.domains  # a field with an error has no value any more
        super().add_refusal(refused)
        named = [
            f"{domains[int(index)]}: {message}"
            for path, messages in refused.fields.items()
            for field, _, index in [path.partition(".")]
            if field == "email_domains" and index.isdecimal()
            for message in messages
        ]
        if named:
            self.errors["email_domains"] = self.error_class(named)


class Provider(SettingsPage):
    """Set the identity provider of the dojo, or switch it off."""

    template_name = "desk/office/settings/provider.html"

    def provider(self) -> dict[str, Any] | None:
        """Return the API's response about the present provider, or `None` without one."""
        try:
            found: dict[str, Any] = self.ask("identity-provider")
        except Refused as error:
            if error.code != IdentityProviderNotConfigured.code:
                raise
            return None
        return found

    def context(self) -> dict[str, Any]:
        provider = self.provider()
        return {
            "tab": "sign-in",
            "provider": provider,
            "form": ProviderForm(provider=provider),
            "redirect_uri": provider["redirect_uri"] if provider else callback_url(),
            "can_change": self.may("identity-provider", "PUT"),
        }

    def submit(self) -> HttpResponseBase:
        shown = self.read_context()
        before = shown["provider"]
        form, status = ProviderForm(self.request.POST, provider=before), 400
        if form.is_valid():
            try:
                saved = self.send("PUT", "identity-provider", form.body())
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                lost = before and before["has_client_secret"] and not saved["has_client_secret"]
                if lost and not form.cleaned_data["has_no_secret"]:
                    self.say(
                        gettext("The stored secret belonged to the other issuer. Enter the new one."),
                        "warning",
                    )
                return self.redirect("desk:identity-provider", gettext("The settings are saved."))
        return self.render({**shown, "form": form}, status=status)


class DeleteProvider(Provider):
    """Delete the identity provider, after a question. One that is deleted already is no fault."""

    template_name = "desk/office/settings/delete_provider.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        shown = self.context()
        return self.render(shown) if shown["provider"] else self.redirect("desk:identity-provider")

    def submit(self) -> HttpResponseBase:
        try:
            self.send("DELETE", "identity-provider")
        except Refused as error:
            if error.code != IdentityProviderNotConfigured.code:
                raise
        return self.redirect("desk:identity-provider", gettext("The provider is deleted."))
