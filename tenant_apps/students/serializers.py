"""The shape of students and what belongs to them."""

from datetime import date
from typing import Any

from rest_framework import serializers

from shared_apps.accounts.models import Role
from shared_apps.accounts.serializers import MeSerializer, UserSerializer
from tatami.api.serializers import Archived, Line, Reference, StrictModelSerializer, StrictSerializer, Text
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import Guardian, RankEvent, Student, StudentFact, StudentNote

OLDEST_DATE = date(1900, 1, 1)
LATEST_DATE = date(2200, 1, 1)
MOST_VISITS = 100_000
MOST_POINTS = 1_000_000
LONGEST_NAME = 200


class PlausibleDate(serializers.DateField):
    """A date that a dojo could mean; years far off are typing errors."""

    default_error_messages = {"implausible": "This date is out of range."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str):
            self.fail("invalid", format="YYYY-MM-DD")
        value: date = super().to_internal_value(data)
        if not OLDEST_DATE <= value <= LATEST_DATE:
            self.fail("implausible")
        return value


class GuardianSerializer(StrictSerializer):
    """A guardian of a student. An existing `id` links a sibling's guardian; what else is given changes it."""

    id = serializers.UUIDField(required=False)
    name = Line(max_length=200, required=False)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = Line(max_length=40, required=False, allow_blank=True)
    relation = Line(max_length=60, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" not in attrs and not attrs.get("name"):
            raise serializers.ValidationError({"name": ["A new guardian needs a name."]})
        return attrs


class GuardianRowSerializer(StrictModelSerializer):
    class Meta:
        model = Guardian
        fields = ("name", "email", "phone")


class HeldRankSerializer(StrictSerializer):
    """A rank that is held now: a reference to it, with its rank system and since when."""

    id = serializers.UUIDField(source="rank_id")
    name = serializers.CharField(source="rank.name")
    code = serializers.CharField(source="rank.code")
    rank_system = Reference(source="system", read_only=True)
    since = serializers.DateField(source="effective_on")


class StudentSerializer(StrictModelSerializer):
    """A student. Needs `current_ranks` and prefetched guardians on the row (see `services.with_details`)."""

    first_name = Line(max_length=100)
    last_name = Line(max_length=100)
    name = serializers.CharField(read_only=True)
    phone = Line(max_length=40, required=False, allow_blank=True)
    gender = Line(max_length=40, required=False, allow_blank=True)
    birth_date = PlausibleDate(required=False, allow_null=True)
    joined_on = PlausibleDate(required=False, allow_null=True)
    status = serializers.ChoiceField(choices=["trial", "active", "inactive"], required=False)
    external_id = Line(max_length=100, required=False, allow_null=True)
    medical_notes = Text(max_length=5_000, required=False, allow_blank=True)
    guardians = GuardianSerializer(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    ranks = HeldRankSerializer(source="current_ranks", many=True, read_only=True)
    archived = Archived()

    class Meta:
        model = Student
        fields = (
            "first_name",
            "last_name",
            "name",
            "email",
            "phone",
            "birth_date",
            "gender",
            "status",
            "joined_on",
            "external_id",
            "medical_notes",
            "guardians",
            "ranks",
            "archived",
        )

    def validate_medical_notes(self, value: str) -> str:
        if self.context["request"].user.role not in {Role.ADMIN, Role.INSTRUCTOR}:
            raise serializers.ValidationError("Your role may read medical notes, not write them.")
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


class NoteSerializer(StrictModelSerializer):
    text = Text(max_length=5_000)
    author = Reference(read_only=True)

    class Meta:
        model = StudentNote
        fields = ("text", "author")


class FactSerializer(StrictModelSerializer):
    """A fact that matters for promotion. What `value` is depends on the kind."""

    rank_system = Reference(queryset=RankSystem.objects.live(), required=False, allow_null=True)
    value = serializers.JSONField()
    on = PlausibleDate()
    expires_on = PlausibleDate(required=False, allow_null=True)
    note = Line(max_length=500, required=False, allow_blank=True)
    recorded_by = Reference(read_only=True)
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
        value, kind = attrs["value"], attrs["kind"]
        if kind == StudentFact.Kind.OPENING_ATTENDANCE:
            if type(value) is not int or not 0 <= value <= MOST_VISITS:
                raise serializers.ValidationError(
                    {"value": [f"A whole number from 0 to {MOST_VISITS} is needed."]}
                )
        elif kind == StudentFact.Kind.POINTS:
            if type(value) not in {int, float} or not 0 <= value <= MOST_POINTS:
                raise serializers.ValidationError({"value": [f"A number from 0 to {MOST_POINTS} is needed."]})
        elif not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_NAME:
            raise serializers.ValidationError(
                {"value": [f"A name of 1 to {LONGEST_NAME} characters is needed."]}
            )
        if attrs.get("expires_on") and attrs["expires_on"] < attrs["on"]:
            raise serializers.ValidationError({"expires_on": ["This is before the fact's own date."]})
        return attrs


class RankEventSerializer(StrictModelSerializer):
    """A line of a rank history."""

    student = Reference(read_only=True)
    rank_system = Reference(source="system", read_only=True)
    rank = Reference(queryset=Rank.objects.select_related("system").filter(system__archived_at__isnull=True))
    kind = serializers.ChoiceField(choices=["import", "convert", "demote"])
    effective_on = PlausibleDate()
    note = Line(max_length=500, required=False, allow_blank=True)
    recorded_by = Reference(read_only=True)
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

    def to_representation(self, instance: RankEvent) -> dict[str, Any]:
        return {**super().to_representation(instance), "kind": instance.kind}


class ReasonSerializer(StrictSerializer):
    reason = Line(max_length=500)


class DojoUserSerializer(UserSerializer):
    """A user of a dojo: with the students he speaks for."""

    students = Reference(queryset=Student.objects.live(), many=True, required=False)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "students")  # type: ignore[assignment]


class DojoMeSerializer(MeSerializer):
    """The caller in a dojo: with the students he speaks for."""

    def get_students(self, user: Any) -> list[dict[str, Any]]:
        return [
            {"id": s.pk, "name": s.name} for s in Student.objects.live().belonging_to(user).order_by("pk")
        ]
