"""The form that takes ranks away again: of a batch, or of an exam that is reopened."""

from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm


class RevertForm(ApiForm):
    """A reason, and what becomes of later ranks that stand on those that are taken away."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)
    later = forms.ChoiceField(
        label=gettext_lazy("Later ranks that stand on them"),
        choices=[
            ("cascade", gettext_lazy("Void them, too")),
            ("keep_later", gettext_lazy("Keep them")),
        ],
        required=False,
        widget=forms.RadioSelect,
    )

    def add_refusal(self, refused: Refused) -> None:
        """Show the messages of the API. If later ranks stand on those that are taken away, ask about them."""
        if refused.code == "ranks_stand_on_it":
            self.add_error("later", gettext("Choose what happens to the later ranks."))
        else:
            super().add_refusal(refused)

    def body(self) -> dict[str, Any]:
        """Return the body of the API's request."""
        values = self.cleaned_data
        return {"reason": values["reason"], **({values["later"]: True} if values["later"] else {})}


def later_ranks(error: Refused | None) -> list[dict[str, Any]]:
    """Return the later ranks that a refusal names."""
    if error is None or error.code != "ranks_stand_on_it":
        return []
    found: list[dict[str, Any]] = (error.details or {}).get("rank_events", [])
    return found
