"""The form of an import: the file, what is in it, and how to read it."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from tenant_apps.desk.forms import ApiForm

KINDS: Final = {
    "students": gettext_lazy("Students"),
    "rank-events": gettext_lazy("Rank histories"),
    "facts": gettext_lazy("Facts"),
    "attendance": gettext_lazy("Visits"),
}


class TransferForm(ApiForm):
    """The export of one person, or the content of one that was previewed (`content`, base64)."""

    file = forms.FileField(
        label=gettext_lazy("File from the other dojo"),
        widget=forms.FileInput({"accept": ".json,application/json"}),
        help_text=gettext_lazy(
            "The other dojo makes it in the profile of the student, under “This record”: all data about the person."
        ),
    )
    allow_duplicates = forms.BooleanField(
        label=gettext_lazy("This is a different person from the student of this name"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].required = not self.data.get("content")


class ImportForm(ApiForm):
    """A file, or the content of one that was previewed (`content`, base64)."""

    kind = forms.ChoiceField(label=gettext_lazy("What is in the file"), choices=list(KINDS.items()))
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput({"accept": ".csv,.txt,.tsv,.xlsx,text/csv"}),
        help_text=gettext_lazy(
            "CSV from any program, or an Excel workbook (.xlsx). The first line names the columns."
        ),
    )
    date_format = forms.ChoiceField(
        label=gettext_lazy("Dates like 03/04/2026 are"),
        choices=[
            ("auto", gettext_lazy("found out by column")),
            ("dmy", gettext_lazy("day/month/year")),
            ("mdy", gettext_lazy("month/day/year")),
        ],
    )
    unknown_columns = forms.BooleanField(label=gettext_lazy("Leave out unknown columns"), required=False)
    allow_duplicates = forms.BooleanField(
        label=gettext_lazy("Also enter people who seem to be there already"),
        required=False,
        help_text=gettext_lazy("Only for students."),
    )
    restore = forms.BooleanField(
        label=gettext_lazy("Restore archived students that are in the file"),
        required=False,
        help_text=gettext_lazy("Only for students."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].required = not self.data.get("content")

    def query(self) -> dict[str, Any]:
        """Return how to read the file, as query parameters of the API."""
        chosen = self.cleaned_data
        query: dict[str, Any] = {
            "date_format": chosen["date_format"],
            "unknown_columns": "ignore" if chosen["unknown_columns"] else "",
        }
        if chosen["kind"] == "students":
            query |= {name: chosen[name] for name in ("allow_duplicates", "restore")}
        return query
