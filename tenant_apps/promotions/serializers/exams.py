"""Exams, candidates, results and the check of a certificate."""

from collections.abc import Sequence
from typing import Any, Final

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import BoundedListField, ReferenceField, SingleLineField, reference_errors
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.clock import tenant_date
from tenant_apps.promotions.exams import Invitation
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.promotions.responses import (
    EligibilitySerializer,
    JudgedEligibilitySerializer,
    NumberField,
    WarningSerializer,
)
from tenant_apps.promotions.serializers.exam_results import (
    DUPLICATE,
    MOST_CANDIDATES,
    ConditionSerializer,
)
from tenant_apps.promotions.student_filters import StudentFilterSerializer
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate, RankEventSerializer

MOST_EXAMINERS: Final = 20


class ExamSerializer(StrictModelSerializer):
    """A grading exam in one rank system. The rank system of an exam never changes.

    With `notify` in a PATCH, the candidates receive a mail about a new date or place.
    """

    name = SingleLineField(max_length=120)
    date = PlausibleDate()
    rank_system = ReferenceField(queryset=RankSystem.objects.not_archived())
    location = SingleLineField(max_length=120, required=False, allow_blank=True)
    examiners = ReferenceField(
        queryset=User.objects.active().staff(),
        many=True,
        required=False,
        most=MOST_EXAMINERS,
        source="examined_by",
    )
    guest_examiners = BoundedListField(
        child=SingleLineField(max_length=120), required=False, max_length=MOST_EXAMINERS
    )
    licences = serializers.DictField(child=SingleLineField(max_length=100), required=False)
    status = serializers.SerializerMethodField()
    notify = serializers.BooleanField(required=False, write_only=True)

    class Meta:
        model = Exam
        fields = (
            "name",
            "date",
            "rank_system",
            "location",
            "examiners",
            "guest_examiners",
            "licences",
            "notify",
            "status",
            "finished_at",
            "reopened_at",
            "reopen_reason",
        )
        read_only_fields = ("finished_at", "reopened_at", "reopen_reason")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; in a PATCH, `rank_system` is read-only, and only there is `notify`."""
        fields = super().get_fields()
        fields["rank_system"].read_only = self.partial
        if not self.partial:
            del fields["notify"]
        return fields

    def get_status(self, exam: Exam) -> str:
        return "finished" if exam.finished_at else "open"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "examined_by" in attrs:
            attrs["examiner_ids"] = [user.pk for user in attrs.pop("examined_by")]
        self._validate_licences(attrs)
        return attrs

    def _validate_licences(self, attrs: dict[str, Any]) -> None:
        """Refuse licences of people who do not examine. Those of examiners who are left out are forgotten."""
        ids = attrs.get("examiner_ids", getattr(self.instance, "examiner_ids", []))
        guests = attrs.get("guest_examiners", getattr(self.instance, "guest_examiners", []))
        examiners = {*map(str, ids), *guests}
        if "licences" in attrs:
            if unknown := [one for one in attrs["licences"] if one not in examiners]:
                message = gettext("Name examiners of this exam: users by their id, guests by their name.")
                raise serializers.ValidationError({"licences": {one: [message] for one in unknown}})
        elif self.instance is not None:
            kept = getattr(self.instance, "licences", {})
            attrs["licences"] = {one: kept[one] for one in kept if one in examiners}


@extend_schema_serializer(component_name="FinishedExam")
class FinishedExamSerializer(ExamSerializer):
    """A finished exam, and the rank events that it awarded."""

    rank_events = RankEventSerializer(many=True)

    class Meta(ExamSerializer.Meta):
        fields = (*ExamSerializer.Meta.fields, "rank_events")  # type: ignore[assignment]


class OutcomeField(serializers.ChoiceField):
    """The outcome of a candidate; null until there is a result."""

    def to_representation(self, value: str) -> Any:
        return super().to_representation(value) or None


class ShownConditionSerializer(ConditionSerializer):
    """The condition on which a candidate passed: `open`, `met` on a day, or `lapsed` after its last day."""

    status = serializers.ChoiceField(choices=["open", "met", "lapsed"])
    met_on = serializers.DateField(allow_null=True)


class ResultFields(StrictModelSerializer):
    """The outcome of a candidate, with marks and the condition of a conditional pass."""

    outcome = OutcomeField(choices=Candidate.Outcome.values, allow_null=True)
    marks = serializers.DictField(child=NumberField())
    condition = serializers.SerializerMethodField()
    rank_event = serializers.UUIDField(source="event_id", read_only=True, allow_null=True)

    @extend_schema_field(ShownConditionSerializer(allow_null=True))
    def get_condition(self, candidate: Candidate) -> dict[str, Any] | None:
        until, met_on = candidate.condition_until, candidate.condition_met_on
        if until is None:
            return None
        status = "met" if met_on else "lapsed" if until < tenant_date() else "open"
        return {"text": candidate.condition, "until": until, "status": status, "met_on": met_on}


@extend_schema_serializer(component_name="CandidateAnswer")
class CandidateSerializer(ResultFields):
    """A candidate for a rank, and the outcome.

    `eligibility` is the check result as of the exam's date: as it is now, and once the exam is finished as it was
    decided. `eligibility_at_invitation` is how it was then. `warnings` name what prevents an award without a reason.
    """

    student = ReferenceField(read_only=True)
    target_rank = ReferenceField(source="target", read_only=True)
    eligibility = EligibilitySerializer(source="shown")
    warnings = WarningSerializer(many=True, source="shown.warnings")
    eligibility_at_invitation = JudgedEligibilitySerializer(source="invited", allow_null=True)

    class Meta:
        model = Candidate
        fields = (
            "student",
            "target_rank",
            "outcome",
            "marks",
            "condition",
            "override_reason",
            "rank_event",
            "eligibility",
            "warnings",
            "eligibility_at_invitation",
        )
        read_only_fields = fields


@extend_schema_serializer(component_name="StudentExam")
class StudentExamSerializer(ResultFields):
    """An exam in which the student is or was a candidate, and the outcome."""

    exam = ReferenceField(read_only=True)
    date = serializers.DateField(source="exam.date", read_only=True)
    finished = serializers.SerializerMethodField()
    rank_system = ReferenceField(source="exam.rank_system", read_only=True)
    target_rank = ReferenceField(source="target", read_only=True)

    class Meta:
        model = Candidate
        fields = (
            "exam",
            "date",
            "finished",
            "rank_system",
            "target_rank",
            "outcome",
            "marks",
            "condition",
            "rank_event",
        )
        read_only_fields = fields

    def get_finished(self, candidate: Candidate) -> bool:
        return candidate.exam.finished_at is not None


class CandidatesSerializer(serializers.Serializer[Any]):
    """Candidates, by name."""

    results = CandidateSerializer(many=True)


class NewCandidateSerializer(StrictSerializer):
    student = serializers.UUIDField()
    target_rank = serializers.UUIDField()


class InvitationsSerializer(StrictSerializer):
    """Candidates, or a filter: it invites the students it selects who are eligible as of the exam's date."""

    candidates = NewCandidateSerializer(
        many=True, required=False, allow_empty=False, max_length=MOST_CANDIDATES
    )  # type: ignore[call-arg]
    filter = StudentFilterSerializer(required=False)
    target_ranks = ReferenceField(queryset=Rank.objects.all(), many=True, required=False)

    def validate_candidates(self, entries: list[dict[str, Any]]) -> list[Invitation]:
        """Return the invitations. Two statements, however many."""
        exam: Exam = self.context["exam"]
        students = set(
            Student.objects.filter(pk__in=[entry["student"] for entry in entries]).values_list(
                "pk", flat=True
            )
        )
        ranks = {rank.pk: rank for rank in Rank.objects.filter(system=exam.rank_system_id)}
        faults = reference_errors(entries, "student", students, twice=gettext(DUPLICATE))
        for fault, entry in zip(faults, entries, strict=True):
            if entry["target_rank"] not in ranks:
                fault["target_rank"] = [gettext("There is no such rank in the exam's rank system.")]
        if any(faults):
            raise serializers.ValidationError(faults)
        return [Invitation(entry["student"], ranks[entry["target_rank"]]) for entry in entries]

    def validate_target_ranks(self, ranks: Sequence[Rank]) -> Sequence[Rank]:
        exam: Exam = self.context["exam"]
        if any(rank.system_id != exam.rank_system_id for rank in ranks):
            raise serializers.ValidationError(gettext("All target ranks must be of the exam's rank system."))
        return ranks

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("candidates" in attrs) == ("filter" in attrs):
            message = gettext("Send either `candidates` or `filter`.")
            raise serializers.ValidationError({"candidates": [message]})
        if "candidates" in attrs and "target_ranks" in attrs:
            raise serializers.ValidationError(
                {
                    "target_ranks": [
                        gettext("Send `target_ranks` only with `filter`: each candidate names a rank.")
                    ]
                }
            )
        return attrs


class FederationExamSerializer(serializers.Serializer[Any]):
    """The exam of a report."""

    dojo = serializers.CharField()
    exam = serializers.CharField()
    date = serializers.DateField()
    location = serializers.CharField()
    rank_system = serializers.CharField()
    examiners = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=["open", "finished"])


class FederationLineSerializer(serializers.Serializer[Any]):
    """A candidate of a report. The last three are empty or null unless the exam is finished and was passed."""

    number = serializers.IntegerField()
    student_id = serializers.UUIDField()
    external_id = serializers.CharField()
    licence_number = serializers.CharField()
    last_name = serializers.CharField()
    first_name = serializers.CharField()
    name = serializers.CharField()
    birth_date = serializers.DateField(allow_null=True)
    gender = serializers.CharField()
    rank_before = serializers.CharField()
    rank_sought = serializers.CharField()
    outcome = serializers.ChoiceField(choices=Candidate.Outcome.values, allow_null=True)
    rank_awarded = serializers.CharField()
    awarded_on = serializers.DateField(allow_null=True)
    certificate_number = serializers.CharField()


class FederationReportSerializer(serializers.Serializer[Any]):
    """The report of an exam to the federation, candidates by name."""

    exam = FederationExamSerializer()
    results = FederationLineSerializer(many=True)


class CertificateCheckSerializer(serializers.Serializer[Any]):
    """Whether a certificate is genuine. All else is null unless it is: compare it with the paper.

    `held` is false if the student lost the rank since, on the day `held_until`.
    """

    code = serializers.CharField()
    dojo = serializers.CharField()
    status = serializers.ChoiceField(choices=["genuine", "revoked", "unknown"])
    number = serializers.CharField(allow_null=True)
    initials = serializers.CharField(allow_null=True)
    rank = serializers.CharField(allow_null=True)
    awarded_on = serializers.DateField(allow_null=True)
    held = serializers.BooleanField(allow_null=True)
    held_until = serializers.DateField(allow_null=True)
