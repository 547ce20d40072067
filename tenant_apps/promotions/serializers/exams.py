"""Exams, candidates, results and the check of a certificate."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import BoundedListField, ReferenceField, SingleLineField, reference_errors
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.promotions.exams import ExamResult, Invitation
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.promotions.responses import EligibilitySerializer
from tenant_apps.promotions.student_filters import StudentFilterSerializer
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate, RankEventSerializer

MOST_EXAMINERS: Final = 20
MOST_CANDIDATES: Final = 500
_DUPLICATE: Final = "This id appears twice in the list."


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
        return attrs


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


@extend_schema_serializer(component_name="CandidateAnswer")
class CandidateSerializer(StrictModelSerializer):
    """A candidate for a rank, and the outcome. `eligibility` is the check result as of the exam's date."""

    student = ReferenceField(read_only=True)
    target_rank = ReferenceField(source="target", read_only=True)
    outcome = OutcomeField(choices=Candidate.Outcome.values, allow_null=True)
    rank_event = serializers.UUIDField(source="event_id", read_only=True, allow_null=True)
    eligibility = EligibilitySerializer()

    class Meta:
        model = Candidate
        fields = ("student", "target_rank", "outcome", "override_reason", "rank_event", "eligibility")
        read_only_fields = fields


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
            Student.objects.not_archived()
            .filter(pk__in=[entry["student"] for entry in entries])
            .values_list("pk", flat=True)
        )
        ranks = {rank.pk: rank for rank in Rank.objects.filter(system=exam.rank_system_id)}
        faults = reference_errors(entries, "student", students, twice=_DUPLICATE)
        for fault, entry in zip(faults, entries, strict=True):
            if entry["target_rank"] not in ranks:
                fault["target_rank"] = ["There is no such rank in the exam's rank system."]
        if any(faults):
            raise serializers.ValidationError(faults)
        return [Invitation(entry["student"], ranks[entry["target_rank"]]) for entry in entries]

    def validate_target_ranks(self, ranks: Sequence[Rank]) -> Sequence[Rank]:
        exam: Exam = self.context["exam"]
        if any(rank.system_id != exam.rank_system_id for rank in ranks):
            raise serializers.ValidationError("All target ranks must be of the exam's rank system.")
        return ranks

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("candidates" in attrs) == ("filter" in attrs):
            message = "Send either `candidates` or `filter`."
            raise serializers.ValidationError({"candidates": [message]})
        if "candidates" in attrs and "target_ranks" in attrs:
            raise serializers.ValidationError(
                {"target_ranks": ["Send `target_ranks` only with `filter`: each candidate names a rank."]}
            )
        return attrs


class ResultSerializer(StrictSerializer):
    candidate = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=Candidate.Outcome.choices)
    override_reason = SingleLineField(max_length=500, required=False)

    def validate(self, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        if "override_reason" in attrs and attrs["outcome"] != Candidate.Outcome.PASSED:
            raise serializers.ValidationError(
                {"override_reason": ["A reason is accepted only for the outcome `passed`."]}
            )
        return attrs


class ResultsSerializer(StrictSerializer):
    """The results of some candidates or all. A later result of a candidate replaces the earlier one."""

    results = ResultSerializer(many=True, allow_empty=False, max_length=MOST_CANDIDATES)  # type: ignore[call-arg]

    def validate_results(self, entries: list[dict[str, Any]]) -> list[ExamResult]:
        """Return the results. One statement, however many."""
        known = set(Candidate.objects.filter(exam=self.context["exam"]).values_list("pk", flat=True))
        faults = reference_errors(entries, "candidate", known, twice=_DUPLICATE)
        if any(faults):
            raise serializers.ValidationError(faults)
        return [
            ExamResult(entry["candidate"], entry["outcome"], entry.get("override_reason", ""))
            for entry in entries
        ]


class CertificateCheckSerializer(serializers.Serializer[Any]):
    """Whether a certificate is genuine. `rank` and `awarded_on` are null unless it is: compare them with the paper."""

    code = serializers.CharField()
    dojo = serializers.CharField()
    status = serializers.ChoiceField(choices=["genuine", "revoked", "unknown"])
    rank = serializers.CharField(allow_null=True)
    awarded_on = serializers.DateField(allow_null=True)
