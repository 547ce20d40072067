"""The shape of a promotions check."""

from typing import Any

from rest_framework import serializers

from tatami.api.serializers import Reference, StrictSerializer
from tenant_apps.promotions.check import Answer
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate


def students_in_reach(request: Any) -> Any:
    """Return the students about whom the caller may ask."""
    students = Student.objects.live()
    return students.belonging_to(request.user) if request.user.role == "student" else students


class CheckSerializer(StrictSerializer):
    """Who, for what, as of when. Without `students`: every active student."""

    students = Reference(queryset=students_in_reach, many=True, required=False)
    rank_system = Reference(queryset=RankSystem.objects.live(), required=False)
    target_rank = Reference(
        queryset=Rank.objects.select_related("system").filter(system__archived_at__isnull=True),
        required=False,
    )
    as_of = PlausibleDate(required=False)
    status = serializers.ChoiceField(choices=[choice.value for choice in Eligibility], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        rank, system = attrs.get("target_rank"), attrs.get("rank_system")
        if rank and system and rank.system_id != system.pk:
            raise serializers.ValidationError({"target_rank": ["This rank is not of this rank system."]})
        return attrs


def shown_answer(answer: Answer) -> dict[str, Any]:
    """Return one answer as the contract shows it."""
    result, rules = answer.result, answer.rules

    def rank(code: str | None) -> dict[str, Any] | None:
        found = rules.ranks.get(code) if code else None
        return {"id": found.pk, "name": found.name} if found else None

    return {
        "student": {"id": answer.student.pk, "name": answer.student.name},
        "rank_system": {"id": rules.system.pk, "name": rules.system.name},
        "current_rank": rank(result.current_rank),
        "target_rank": rank(result.target_rank),
        "status": result.status.value,
        "path": result.path,
        "earliest_on": result.earliest_on,
        "rule_version": rules.version,
        "criteria": [
            {
                "kind": criterion.kind,
                "status": criterion.status.value,
                "have": criterion.have,
                "need": criterion.need,
                "earliest_on": criterion.earliest_on,
                "message": criterion.message,
            }
            for criterion in result.criteria
        ],
    }
