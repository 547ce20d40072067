"""The log of who changed what, and when."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from tenant_apps.desk.api import cursor_of
from tenant_apps.desk.forms import ApiForm, DateInput
from tenant_apps.desk.office.settings.view import SettingsPage

PAGE_SIZE: Final = 50


class AuditFilters(ApiForm):
    """The filters of the log: query parameters of the API, which says what is wrong with them."""

    action = forms.CharField(
        label=gettext_lazy("Action"),
        required=False,
        widget=forms.TextInput({"placeholder": "student.patch"}),
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        action = self.fields.pop("action")
        for name, label in (("from", gettext_lazy("From")), ("to", gettext_lazy("To"))):
            self.fields[name] = forms.CharField(label=label, required=False, widget=DateInput)
        self.fields["action"] = action


class Audit(SettingsPage):
    """Who changed what, and when; newest first."""

    template_name = "desk/office/audit/audit.html"

    def context(self) -> dict[str, Any]:
        filters = AuditFilters(self.request.GET)
        asked = {name: self.query(name) for name in ("cursor", "actor", "object", *filters.fields)}
        found = self.ask_filtered(filters, "audit", query={**asked, "page_size": PAGE_SIZE})
        return {
            "tab": "audit",
            "filters": filters,
            "is_refused": found is None,
            "entries": found["results"] if found else [],
            "older": cursor_of(found["next"]) if found else "",
            "is_first": not asked["cursor"],
        }
