"""The forms for who and what has access: users, devices, API keys, webhooks."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from shared_apps.accounts.models import STAFF_ROLES
from shared_apps.webhooks.events import subscriptions
from tenant_apps.desk.forms import ApiForm, DateField

ROLES: Final = [
    ("admin", gettext_lazy("Admin")),
    ("instructor", gettext_lazy("Instructor")),
    ("assistant", gettext_lazy("Assistant")),
    ("student", gettext_lazy("Student or parent")),
]
ROLE_NAMES: Final = dict(ROLES)


class UserForm(ApiForm):
    """A person who signs in."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=ROLES, initial="assistant")
    is_active = forms.BooleanField(label=gettext_lazy("May sign in"), required=False, initial=True)


class SignInPolicyForm(ApiForm):
    """Who needs a second factor."""

    second_factor_roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles that need a second factor"),
        choices=ROLES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("They set one up at their next sign-in."),
    )


class DeviceForm(ApiForm):
    """A kiosk or scanner."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    location = forms.CharField(
        label=gettext_lazy("Location"),
        max_length=120,
        required=False,
        help_text=gettext_lazy(
            "As written at the classes that take place there. It finds the right session."
        ),
    )


class ApiKeyForm(ApiForm):
    """A key for another program."""

    name = forms.CharField(label=gettext_lazy("Name of the program"), max_length=200)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[one for one in ROLES if one[0] in {role.value for role in STAFF_ROLES}],
    )
    read_only = forms.BooleanField(label=gettext_lazy("May only read"), required=False, initial=True)
    expires_on = DateField(label=gettext_lazy("Valid until"), required=False)
    allowed_addresses = forms.CharField(
        label=gettext_lazy("Networks, one per line"),
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=gettext_lazy("Such as 203.0.113.0/24. Empty: from everywhere."),
    )

    def body(self) -> dict[str, Any]:
        found = super().body()
        return {**found, "allowed_addresses": found["allowed_addresses"].split()}


class WebhookForm(ApiForm):
    """An address that is told what happens. `events` are those that a webhook has besides the groups on offer."""

    url = forms.CharField(label=gettext_lazy("Address"), max_length=2000, help_text="https://…")
    description = forms.CharField(label=gettext_lazy("What it is for"), max_length=200, required=False)
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"), widget=forms.CheckboxSelectMultiple, initial=["*"]
    )

    def __init__(self, *args: Any, events: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = {one for one in subscriptions() if one == "*" or one.endswith(".*")}
        choices = [(one, event_label(one)) for one in sorted({*groups, *events})]
        self.fields["events"].choices = choices  # type: ignore[attr-defined]


EVENTS: Final = {
    "*": gettext_lazy("Everything"),
    "attendance.*": gettext_lazy("Attendance"),
    "class_session.*": gettext_lazy("Sessions"),
    "exam.*": gettext_lazy("Exams"),
    "export.*": gettext_lazy("Exports"),
    "rank_event.*": gettext_lazy("Ranks"),
    "student.*": gettext_lazy("Students"),
}


def event_label(code: str) -> str:
    """Return a group of events in words and as receivers know it; a single type as it is."""
    return f"{EVENTS[code]} ({code})" if code in EVENTS else code
