"""What the value of a fact may be, kind by kind: for the API, and for the cells of an import."""

from typing import Any, Final

from rest_framework import serializers

from tatami.api.fields import SingleLineField
from tatami.api.serializers import StrictSerializer
from tenant_apps.students.models import StudentFact

MOST_VISITS: Final = 100_000
MOST_POINTS: Final = 1_000_000
LONGEST_NAME: Final = 200
LONGEST_CATEGORY: Final = 100
EXPIRES_EARLY: Final = "This is before the fact's own date."

AnyField = serializers.Field[Any, Any, Any, Any]


class WholeNumber(AnyField):
    """A count from 0 to `most`. Text and true are no numbers."""

    accepted: tuple[type, ...] = (int,)
    default_error_messages = {"invalid": "A whole number from 0 to {most} is needed."}

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def to_internal_value(self, data: Any) -> int | float:
        if type(data) not in self.accepted or not 0 <= data <= self.most:  # NaN is not within any bounds
            self.fail("invalid", most=self.most)
        number: int | float = data
        return number

    def to_representation(self, value: Any) -> Any:
        return value


class Number(WholeNumber):
    """The same, with a fraction if you like."""

    accepted = (int, float)
    default_error_messages = {"invalid": "A number from 0 to {most} is needed."}


class PointsInCategory(StrictSerializer):
    """Points of one sort, where a rank system tells several apart."""

    points = Number(MOST_POINTS)
    category = SingleLineField(max_length=LONGEST_CATEGORY)


class PointsValue(Number):
    """A number, or {points, category}."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            return PointsInCategory().run_validation(data)
        return super().to_internal_value(data)


def value_field(kind: str) -> AnyField:
    """Return the field that judges the value of a fact of this kind."""
    match kind:
        case StudentFact.Kind.OPENING_ATTENDANCE:
            return WholeNumber(MOST_VISITS)
        case StudentFact.Kind.POINTS:
            return PointsValue(MOST_POINTS)
        case _:
            return SingleLineField(max_length=LONGEST_NAME)
