"""The shape of students and their guardians."""

from typing import Any

from rest_framework import serializers

from shared_apps.accounts.models import Role
from tatami.api.fields import ArchivedField, MultiLineField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.errors import PermissionDenied
from tenant_apps.students.models import Guardian, Status, Student
from tenant_apps.students.serializers.dates import PlausibleDate


class ShownStatus(serializers.ChoiceField):
    """Shows the status of today. `on_hold` is not taken: it follows from the holds, which have a route of their own."""

    default_error_messages = {"follows": "Add a hold instead: the status follows from it."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=Status.choices, required=False, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        return instance.shown_status

    def to_internal_value(self, data: Any) -> Any:
        if data == Status.ON_HOLD:
            self.fail("follows")
        return super().to_internal_value(data)


class GuardianSerializer(StrictSerializer):
    """A guardian of a student. An existing `id` links a sibling's guardian; what else is given changes it."""

    id = serializers.UUIDField(required=False)
    name = SingleLineField(max_length=200, required=False)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = SingleLineField(max_length=40, required=False, allow_blank=True)
    relation = SingleLineField(max_length=60, required=False, allow_blank=True)

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
    rank_system = ReferenceField(source="system", read_only=True)
    since = serializers.DateField(source="effective_on")


class StudentSerializer(StrictModelSerializer):
    """A student. Needs `current_ranks` and prefetched guardians on the row (see `services.with_details`)."""

    first_name = SingleLineField(max_length=100)
    last_name = SingleLineField(max_length=100)
    name = serializers.CharField(read_only=True)
    phone = SingleLineField(max_length=40, required=False, allow_blank=True)
    gender = SingleLineField(max_length=40, required=False, allow_blank=True)
    birth_date = PlausibleDate(required=False, allow_null=True)
    joined_on = PlausibleDate(required=False, allow_null=True)
    status = ShownStatus()
    external_id = SingleLineField(max_length=100, required=False, allow_null=True)
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
            raise PermissionDenied("Your role may read medical notes, not write them.")
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
