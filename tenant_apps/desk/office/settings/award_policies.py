"""The matrix of what an award of each kind of rank brings with it: a field with the value of `award_policies`."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

KINDS: Final = {
    "rank": gettext_lazy("Belts and grades"),
    "sub_rank": gettext_lazy("Stripes and other steps within a rank"),
    "title": gettext_lazy("Titles"),
}
CONSEQUENCES: Final = {
    "mail": gettext_lazy("Mail"),
    "certificate": gettext_lazy("Certificate"),
    "needs_exam": gettext_lazy("Needs an exam"),
}


class PolicyMatrix(forms.Widget):
    """A table of check boxes, one row for each kind of rank. A field of the same name says that it was shown."""

    use_fieldset = True

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the table. `value` is kind → consequence → bool."""
        rows = [
            (
                label,
                [
                    (f"{name}-{kind}-{key}", title, bool((value or {}).get(kind, {}).get(key)))
                    for key, title in CONSEQUENCES.items()
                ],
            )
            for kind, label in KINDS.items()
        ]
        described_by = (attrs or {}).get("aria-describedby", "")
        shown = {"name": name, "titles": CONSEQUENCES.values(), "rows": rows, "described_by": described_by}
        return render_to_string("desk/office/settings/award_policies.html", shown)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """Return kind → consequence → bool; `None` if the form did not have the table."""
        if name not in data:
            return None
        return {kind: {key: f"{name}-{kind}-{key}" in data for key in CONSEQUENCES} for kind in KINDS}


class PoliciesField(forms.Field):
    """The value is what the matrix returns. What it must look like is checked by the API."""

    widget = PolicyMatrix
