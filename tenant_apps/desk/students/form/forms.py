"""The form of a student, and those of the guardians in it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm, DateField

MOST_GUARDIANS: Final = 10
GUARDIAN_FIELDS: Final = ("id", "name", "relation", "phone", "email")


class StudentForm(ApiForm):
    """A student without the guardians.

    Each field is sent with the value that it had when the form was shown, so that a change does not undo what another
    person changed meanwhile.
    """

    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=100, required=True)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=100, required=False)
    preferred_name = forms.CharField(
        label=gettext_lazy("Called"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("What the person is called, if it is not the first name."),
    )
    birth_date = DateField(label=gettext_lazy("Date of birth"), required=False)
    status = forms.ChoiceField(label=gettext_lazy("Status"))
    joined_on = DateField(label=gettext_lazy("Joined on"), required=False)
    phone = forms.CharField(
        label=gettext_lazy("Phone"), widget=forms.TextInput({"type": "tel"}), max_length=40, required=False
    )
    email = forms.CharField(
        label=gettext_lazy("E-mail"), widget=forms.EmailInput, max_length=254, required=False
    )
    gender = forms.CharField(label=gettext_lazy("Gender"), max_length=40, required=False)
    licence_number = forms.CharField(label=gettext_lazy("Licence number"), max_length=60, required=False)
    external_id = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Your own number of the person. An import recognises the person by it."),
    )
    name_order = forms.ChoiceField(
        label=gettext_lazy("Order of the name"),
        required=False,
        choices=[
            ("", gettext_lazy("As usual in this dojo")),
            ("given_first", gettext_lazy("First name, last name")),
            ("family_first", gettext_lazy("Last name, first name")),
        ],
    )
    medical_notes = forms.CharField(
        label=gettext_lazy("Medical notes"),
        widget=forms.Textarea({"rows": 3}),
        max_length=5_000,
        required=False,
        help_text=gettext_lazy("What a trainer must know: allergies, asthma, injuries. Only staff read it."),
    )

    def __init__(
        self, *args: Any, may_write_medical_notes: bool, is_on_hold: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        statuses: list[tuple[str, Any]] = [
            ("active", gettext_lazy("Active")),
            ("trial", gettext_lazy("Trial")),
            ("inactive", gettext_lazy("Inactive")),
        ]
        if is_on_hold:  # follows from the breaks, and cannot be entered
            statuses.insert(0, ("on_hold", gettext_lazy("On hold")))
        self.fields["status"].choices = statuses  # type: ignore[attr-defined]
        if not may_write_medical_notes:
            del self.fields["medical_notes"]
        for field in self.fields.values():
            field.show_hidden_initial = True

    def changes(self) -> dict[str, Any]:
        """Return the values that were changed, as JSON."""
        changed = {name: value for name, value in self.body().items() if name in self.changed_data}
        for name in ("external_id", "name_order"):
            if name in changed:
                changed[name] = changed[name] or None
        return changed


class GuardianForm(forms.Form):
    """One guardian. With an id it is one that the dojo has already."""

    use_required_attribute = False
    id = forms.UUIDField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    relation = forms.CharField(
        label=gettext_lazy("Relation"),
        max_length=60,
        required=False,
        widget=forms.TextInput({"list": "relations"}),
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone"), widget=forms.TextInput({"type": "tel"}), max_length=40, required=False
    )
    email = forms.CharField(
        label=gettext_lazy("E-mail"), widget=forms.EmailInput, max_length=254, required=False
    )


class Guardians:
    """The rows of guardians: as stored, or as entered. Buttons of the form add and remove rows."""

    prefix: ClassVar[str] = "guardians"

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = list(rows)
        self.forms: list[GuardianForm] = []

    @classmethod
    def entered(cls, values: QueryDict) -> "Guardians":
        """Return the rows of a form that was sent, without those that are empty, and the one that a button removes."""
        rows = []
        for number in range(MOST_GUARDIANS):
            row = {name: values.get(f"{cls.prefix}-{number}-{name}", "").strip() for name in GUARDIAN_FIELDS}
            if any(row.values()) and values.get("remove_guardian") != str(number):
                rows.append(row)
        return cls(rows)

    def bind(self, *, spare: int = 0) -> "Guardians":
        """Make the forms that are shown: one for each row, and so many empty ones."""
        shown = [*self.rows, *[{}] * spare][:MOST_GUARDIANS]
        self.forms = [
            GuardianForm(
                {f"{self.prefix}-{number}-{name}": row.get(name) or "" for name in GUARDIAN_FIELDS},
                prefix=f"{self.prefix}-{number}",
            )
            for number, row in enumerate(shown)
        ]
        return self

    def body(self) -> list[dict[str, Any]]:
        """Return the rows as the API takes them."""
        return [{name: value for name, value in row.items() if name != "id" or value} for row in self.rows]

    def add_refusal(self, refused: Refused) -> list[str]:
        """Show the messages of the API at their rows; return those that are about no field of a row."""
        others = []
        for path, messages in refused.fields.items():
            prefix, _, rest = path.partition(".")
            number, _, name = rest.partition(".")
            if prefix != self.prefix:
                continue
            if number.isdecimal() and int(number) < len(self.forms):
                form = self.forms[int(number)]
                for message in messages:
                    form.add_error(name if name in form.fields and name != "id" else None, message)
            else:
                others += messages
        return others
