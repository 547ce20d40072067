"""Requests and responses of students, their guardians and their records."""

from datetime import date, timedelta
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy, gettext_noop
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.models import Role
from tatami.api.fields import ArchivedField, MultiLineField, ReferenceField, SingleLineField
from tatami.api.filters import read_date
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer
from tatami.clock import tenant_date
from tatami.errors import PermissionDenied
from tenant_apps.dojo.models import NameOrder
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.student_facts import AttendanceUnit
from tenant_apps.students.models import (
    Guardian,
    RankEvent,
    Status,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
)

OLDEST_DATE = date(1900, 1, 1)
LATEST_DATE = date(2200, 1, 1)
AHEAD: Final = timedelta(days=366)
"""Events, facts and admissions may be recorded so long before their day."""


class PlausibleDate(serializers.DateField):
    """A date between 1900 and 2200; years outside are typing errors."""

    default_error_messages = {"implausible": gettext_lazy("This date is out of range.")}

    def to_internal_value(self, data: Any) -> date:
        try:
            value = read_date(data if isinstance(data, str) else "")
        except ValueError:
            self.fail("invalid", format="YYYY-MM-DD")
        if not OLDEST_DATE <= value <= LATEST_DATE:
            self.fail("implausible")
        return value


class PastDate(PlausibleDate):
    """A date that has come in the dojo, such as a date of birth."""

    default_error_messages = {"future": gettext_lazy("This day has not come yet.")}

    def to_internal_value(self, data: Any) -> date:
        value = super().to_internal_value(data)
        if value > tenant_date():
            self.fail("future")
        return value


class NearDate(PlausibleDate):
    """A date that is at most a year ahead: of what has happened or is arranged."""

    default_error_messages = {"far": gettext_lazy("This is more than a year ahead.")}

    def to_internal_value(self, data: Any) -> date:
        value = super().to_internal_value(data)
        if value > tenant_date() + AHEAD:
            self.fail("far")
        return value


MOST_VISITS: Final = 100_000
MOST_POINTS: Final = 1_000_000
LONGEST_NAME: Final = 200
LONGEST_CATEGORY: Final = 100
MEDICAL_NOTES_ROLES: Final = frozenset({Role.ADMIN, Role.INSTRUCTOR})
"""Who may change medical notes. All staff read them."""
EXPIRES_EARLY: Final = gettext_noop("This is before the fact's own date.")

AnyField = serializers.Field[Any, Any, Any, Any]


class WholeNumber(AnyField):
    """A whole number from 0 to `most`. Text and booleans are refused."""

    accepted: tuple[type, ...] = (int,)
    default_error_messages = {"invalid": gettext_lazy("A whole number from 0 to {most} is needed.")}

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def to_internal_value(self, data: Any) -> int | float:
        if type(data) not in self.accepted or not 0 <= data <= self.most:  # NaN fails every comparison
            self.fail("invalid", most=self.most)
        number: int | float = data
        return number

    def to_representation(self, value: Any) -> Any:
        return value


class Number(WholeNumber):
    """A number from 0 to `most`, with or without a fraction."""

    accepted = (int, float)
    default_error_messages = {"invalid": gettext_lazy("A number from 0 to {most} is needed.")}


class BalanceInUnit(StrictSerializer):
    """An opening balance in days, sessions or hours of training."""

    count = WholeNumber(MOST_VISITS)
    unit = serializers.ChoiceField(choices=[unit.value for unit in AttendanceUnit])


class BalanceValue(WholeNumber):
    """A whole number of visits, or `{count, unit}`."""

    default_error_messages = {"parts": gettext_lazy("Send a whole number, or `count` and `unit`.")}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            if data.keys() != BalanceInUnit().fields.keys():
                self.fail("parts")
            return BalanceInUnit().run_validation(data)
        return super().to_internal_value(data)


class PointsInCategory(StrictSerializer):
    """Points of one category, for rank systems with several categories."""

    points = Number(MOST_POINTS)
    category = SingleLineField(max_length=LONGEST_CATEGORY)


class PointsValue(Number):
    """A number, or `{points, category}`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            return PointsInCategory().run_validation(data)
        return super().to_internal_value(data)


def value_field(kind: str) -> AnyField:
    """Return the field that validates the value of a fact of this kind, in the API and in imports."""
    match kind:
        case StudentFact.Kind.OPENING_ATTENDANCE:
            return BalanceValue(MOST_VISITS)
        case StudentFact.Kind.POINTS:
            return PointsValue(MOST_POINTS)
        case _:
            return SingleLineField(max_length=LONGEST_NAME)


class ShownStatus(serializers.ChoiceField):
    """The status as of today.

    `on_hold` is refused in requests: it follows from the holds, which have their own route.
    """

    default_error_messages = {"follows": gettext_lazy("Add a hold instead: the status follows from it.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=Status.choices, required=False, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        return instance.shown_status

    def to_internal_value(self, data: Any) -> Any:
        if data == Status.ON_HOLD:
            self.fail("follows")
        return super().to_internal_value(data)


class GuardianSerializer(StrictSerializer):
    """A guardian of a student. An existing `id` links the guardian of a sibling; other fields change that guardian."""

    id = serializers.UUIDField(required=False)
    name = SingleLineField(max_length=200, required=False)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = SingleLineField(max_length=40, required=False, allow_blank=True)
    relation = SingleLineField(max_length=60, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" not in attrs and not attrs.get("name"):
            raise serializers.ValidationError({"name": [gettext("A new guardian needs a name.")]})
        return attrs


class GuardianRowSerializer(StrictModelSerializer):
    """A guardian in the list of all guardians."""

    class Meta:
        model = Guardian
        fields = ("name", "email", "phone")


class HeldRankSerializer(StrictSerializer):
    """A rank that the student holds now, with its rank system and the date since when."""

    # Serializes the `RankEvent` that is in force.
    id = serializers.UUIDField(source="rank_id")
    name = serializers.CharField(source="rank.name")
    code = serializers.CharField(source="rank.code")
    rank_system = ReferenceField(source="system", read_only=True)
    since = serializers.DateField(source="effective_on")


class StudentSerializer(StrictModelSerializer):
    """A student with guardians and the ranks held now."""

    # The row needs what `services.with_details` and `services.attach_current_ranks` add.
    first_name = SingleLineField(max_length=100)
    last_name = SingleLineField(max_length=100, required=False, allow_blank=True)
    name = serializers.CharField(read_only=True)
    preferred_name = SingleLineField(max_length=100, required=False, allow_blank=True)
    name_order = serializers.ChoiceField(choices=NameOrder.choices, required=False, allow_null=True)
    phone = SingleLineField(max_length=40, required=False, allow_blank=True)
    gender = SingleLineField(max_length=40, required=False, allow_blank=True)
    birth_date = PastDate(required=False, allow_null=True)
    joined_on = NearDate(required=False, allow_null=True)
    status = ShownStatus()
    external_id = SingleLineField(max_length=100, required=False, allow_null=True)
    licence_number = SingleLineField(max_length=60, required=False, allow_blank=True)
    medical_notes = MultiLineField(max_length=5_000, required=False, allow_blank=True)
    guardians = GuardianSerializer(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    ranks = HeldRankSerializer(source="current_ranks", many=True, read_only=True)
    archived = ArchivedField()

    class Meta:
        model = Student
        fields = (
            "first_name",
            "last_name",
            "name",
            "preferred_name",
            "name_order",
            "email",
            "phone",
            "birth_date",
            "gender",
            "status",
            "joined_on",
            "external_id",
            "licence_number",
            "medical_notes",
            "guardians",
            "ranks",
            "archived",
        )

    def validate_medical_notes(self, value: str) -> str:
        if self.context["request"].user.role not in MEDICAL_NOTES_ROLES:
            raise PermissionDenied(gettext("Your role can read medical notes, but not change them."))
        return value

    def to_representation(self, instance: Student) -> dict[str, Any]:
        links = list(instance.guardian_links.all())
        instance.guardians = [  # type: ignore[attr-defined]
            {
                "id": link.guardian_id,
                "name": link.guardian.name,
                "email": link.guardian.email,
                "phone": link.guardian.phone,
                "relation": link.relation,
            }
            for link in links
        ]
        shown: dict[str, Any] = super().to_representation(instance)
        return shown


class NamesakeSerializer(StrictSerializer):
    """A student who may be the same person: the same name, and no other birth date."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    birth_date = serializers.DateField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    archived = ArchivedField()


class NewStudentSerializer(StudentSerializer):
    """A new student. If there are students who may be the same person, they are named: a warning, not an error."""

    possible_duplicates = NamesakeSerializer(many=True, required=False)

    class Meta(StudentSerializer.Meta):
        fields = (*StudentSerializer.Meta.fields, "possible_duplicates")  # type: ignore[assignment]
        shown_to_some = ("possible_duplicates",)


class MergeSerializer(StrictSerializer):
    """Which record is merged into the student in the path. With `dry_run` nothing is written."""

    duplicate = serializers.UUIDField()
    dry_run = serializers.BooleanField(required=False, default=False)


@extend_schema_field({"type": ["string", "boolean", "object", "null"], "additionalProperties": True})
class ConflictingValueField(serializers.JSONField):
    """A value of a record: text, a date, `archived`, or the main fields of a row."""


class ConflictSerializer(StrictSerializer):
    """Something that both records have. `rule` decided; the values depend on `what`."""

    what = serializers.CharField()
    rule = serializers.CharField()
    kept = ConflictingValueField()
    dropped = ConflictingValueField()


class MergedSerializer(StrictSerializer):
    """What a merge did, or would do: how many rows moved, by what they are, and what was decided."""

    student = ReferenceSerializer()
    duplicate = ReferenceSerializer()
    dry_run = serializers.BooleanField()
    moved = serializers.DictField(child=serializers.IntegerField())
    conflicts = ConflictSerializer(many=True)


class NoteSerializer(StrictModelSerializer):
    """A note by staff about a student."""

    text = MultiLineField(max_length=5_000)
    author = ReferenceField(read_only=True)

    class Meta:
        model = StudentNote
        fields = ("text", "author")


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            {"type": "number", "minimum": 0},
            {
                "x-component": "OpeningAttendance",
                "type": "object",
                "properties": {
                    "count": {"type": "integer", "minimum": 0},
                    "unit": {"type": "string", "enum": [unit.value for unit in AttendanceUnit]},
                },
                "required": ["count", "unit"],
            },
            {
                "x-component": "PointsInCategory",
                "type": "object",
                "properties": {"points": {"type": "number", "minimum": 0}, "category": {"type": "string"}},
                "required": ["points", "category"],
            },
        ]
    }
)
class FactValueField(serializers.JSONField):
    """The value of a fact. `value_field` validates it by the kind of the fact."""


class FactSerializer(StrictModelSerializer):
    """A fact that matters for promotion. The type of `value` depends on the kind.

    `opening_attendance`: a whole number of visits, each a session on a day of its own, or
    `{"count": 30, "unit": "hour"}` (`day`, `session` or `hour`). `points`: a number, or
    `{"points": 3, "category": "kata"}`. All other kinds: a name. `expires_on` is the last day on which the fact counts.
    """

    rank_system = ReferenceField(queryset=RankSystem.objects.not_archived(), required=False, allow_null=True)
    value = FactValueField()
    on = NearDate()
    expires_on = PlausibleDate(required=False, allow_null=True)
    note = SingleLineField(max_length=500, required=False, allow_blank=True)
    recorded_by = ReferenceField(read_only=True)
    voided = serializers.SerializerMethodField()

    class Meta:
        model = StudentFact
        fields = (
            "kind",
            "rank_system",
            "value",
            "on",
            "expires_on",
            "note",
            "recorded_by",
            "voided",
            "void_reason",
        )
        read_only_fields = ("void_reason",)

    def get_voided(self, fact: StudentFact) -> bool:
        return fact.voided_at is not None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            attrs["value"] = value_field(attrs["kind"]).run_validation(attrs["value"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"value": error.detail}) from None
        if attrs.get("expires_on") and attrs["expires_on"] < attrs["on"]:
            raise serializers.ValidationError({"expires_on": [gettext(EXPIRES_EARLY)]})
        return attrs


class RankEventSerializer(StrictModelSerializer):
    """An event in a rank history. Awards are created by promotions."""

    student = ReferenceField(read_only=True)
    rank_system = ReferenceField(source="system", read_only=True)
    rank = ReferenceField(queryset=Rank.objects.in_use())
    kind = serializers.ChoiceField(choices=RankEvent.Kind.choices)
    effective_on = NearDate()
    note = SingleLineField(max_length=500, required=False, allow_blank=True)
    recorded_by = ReferenceField(read_only=True)
    voided = serializers.SerializerMethodField()

    class Meta:
        model = RankEvent
        fields = (
            "student",
            "rank_system",
            "rank",
            "kind",
            "effective_on",
            "note",
            "recorded_by",
            "voided",
            "void_reason",
        )
        read_only_fields = ("void_reason",)

    def get_voided(self, event: RankEvent) -> bool:
        return event.voided_at is not None


@extend_schema_serializer(component_name="RankEvent")
class NewRankEventSerializer(RankEventSerializer):
    """A new event in a rank history. Use promotions for awards."""

    kind = serializers.ChoiceField(choices=["import", "convert", "demote"])


class ReasonSerializer(StrictSerializer):
    """The reason for voiding a record."""

    reason = SingleLineField(max_length=500)


class RankEventVoidSerializer(ReasonSerializer):
    """The reason for voiding a rank event. With `cascade`, later ranks that stand on it are voided too."""

    cascade = serializers.BooleanField(default=False)


class LaterRankSerializer(StrictSerializer):
    """A rank that stands on one that was voided."""

    id = serializers.UUIDField()
    rank = ReferenceSerializer()
    kind = serializers.ChoiceField(choices=RankEvent.Kind.choices)
    effective_on = serializers.DateField()


class VoidedRankEventSerializer(RankEventSerializer):
    """A rank event that was voided, and the later ranks that stand on it: with `cascade`, they were voided too."""

    later_ranks = LaterRankSerializer(many=True)

    class Meta(RankEventSerializer.Meta):
        fields = (*RankEventSerializer.Meta.fields, "later_ranks")  # type: ignore[assignment]


class RevertSerializer(RankEventVoidSerializer):
    """The reason for taking ranks away, and what happens to later ranks that stand on them.

    Without `cascade` (void them) or `keep_later` (keep them), nothing is taken away as long as there are any.
    """

    keep_later = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["cascade"] and attrs["keep_later"]:
            raise serializers.ValidationError(
                {"keep_later": [gettext("Send either `cascade` or `keep_later`, not both.")]}
            )
        return attrs


class HoldSerializer(StrictModelSerializer):
    """A break from training. `from` and `until` are local dates, both included; without `until` it has no end."""

    until = PlausibleDate(required=False, allow_null=True)
    reason = SingleLineField(max_length=500, required=False, allow_blank=True)

    class Meta:
        model = StudentHold
        fields = ("from", "until", "reason")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a Python keyword and cannot be a class attribute.
        self._declared_fields = {**self._declared_fields, "from": PlausibleDate(source="starts_on")}
        return super().get_fields()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first = attrs.get("starts_on", getattr(self.instance, "starts_on", None))
        last = attrs.get("until", getattr(self.instance, "until", None))
        if first and last and last < first:
            raise serializers.ValidationError({"until": [gettext("This is before the first day.")]})
        return attrs
