"""The filters of the reports. Their fields are the query parameters of the API, which says what is wrong with them."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from tenant_apps.desk.forms import ApiForm, DateInput

GROUPS: Final = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "class": gettext_lazy("Class"),
    "discipline": gettext_lazy("Discipline"),
    "student": gettext_lazy("Student"),
}
"""Grouping of attendances → its label."""


class ReportFilters(ApiForm):
    """The parameters of a report: those that `asked` has, with its values."""

    def __init__(self, asked: Mapping[str, str]) -> None:
        super().__init__(asked)
        offered: dict[str, forms.Field] = {
            "from": forms.CharField(label=gettext_lazy("From"), widget=DateInput),
            "to": forms.CharField(label=gettext_lazy("To"), widget=DateInput),
            "group_by": forms.CharField(
                label=gettext_lazy("By"), widget=forms.Select(choices=list(GROUPS.items()))
            ),
            "days": forms.CharField(
                label=gettext_lazy("Days without a visit"),
                widget=forms.NumberInput({"min": 1, "inputmode": "numeric"}),
            ),
        }
        self.fields.update({name: offered[name] for name in asked})

    def body(self) -> dict[str, Any]:
        """Return the query of the API."""
        return {name: self[name].value() for name in self.fields}
