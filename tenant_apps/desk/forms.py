"""Forms of pages: controls and labels. The API validates what is entered; its messages stand at the fields."""

from collections.abc import Mapping
from datetime import date, time
from typing import Any, ClassVar

from django import forms

from tenant_apps.desk.api import Refused


class DateInput(forms.DateInput):
    """The browser's date picker. Its value is ISO 8601 in every language."""

    input_type = "date"

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(attrs=dict(attrs or {}), format="%Y-%m-%d")


class TimeInput(forms.TimeInput):
    """The browser's time picker, with minutes."""

    input_type = "time"

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(attrs=dict(attrs or {}), format="%H:%M")


class DateField(forms.DateField):
    widget = DateInput
    input_formats: Any = ["%Y-%m-%d"]


class TimeField(forms.TimeField):
    widget = TimeInput


class JsonField(forms.JSONField):
    """JSON that a script of a page sends. What Python cannot read is refused as any other text that is not JSON.

    Django's field only expects faults of the notation, and fails for a number of thousands of digits, or deep nesting.
    """

    def to_python(self, value: Any) -> Any:
        """Return the value. Raises `ValidationError`."""
        try:
            return super().to_python(value)
        except (ValueError, RecursionError):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what the form shows again."""
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return None


class ApiForm(forms.Form):
    """A form whose values become the body of a request to the API.

    A form only checks what a text must look like to be sent (a date, a number). `paths` says which field shows the
    messages of which dotted path of the API, where their names differ.
    """

    paths: ClassVar[Mapping[str, str]] = {}
    use_required_attribute = False  # the API decides what is required, and says so in the dojo's language

    def body(self) -> dict[str, Any]:
        """Return the entered values as JSON. Empty dates, times and choices are `null`."""
        return {name: _json(value) for name, value in self.cleaned_data.items()}

    def add_refusal(self, refused: Refused) -> None:
        """Show the messages of the API: each at its field, the others above the form."""
        shown = False
        for path, messages in refused.fields.items():
            name = self.paths.get(path, path.partition(".")[0])
            for message in messages:
                self.add_error(name if name in self.fields else None, message)
                shown = True
        if not shown:
            self.add_error(None, refused.message)


def _json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value
