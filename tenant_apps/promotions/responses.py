"""Check results as the API returns them, and as decisions and batch items store them.

A check may return thousands of results, so they are built as dicts. The serializers document their shape, and return
results that were stored.
"""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.serializers import ReferenceSerializer
from tenant_apps.promotions.check import CheckResult
from tenant_apps.promotions.engine import CriterionResult, Eligibility, Status

_ELIGIBILITY: Final = [one.value for one in Eligibility]
_STATUS: Final = [one.value for one in Status]


class NumberField(serializers.FloatField):
    """A number that is returned as it is: a whole number stays whole."""

    def to_representation(self, value: float) -> Any:
        return value


class CriterionSerializer(serializers.Serializer[Any]):
    """One criterion as of the date asked. `have` and `need` are in its own unit; `message` is for a parent."""

    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=_STATUS)
    have = NumberField(allow_null=True)
    need = NumberField(allow_null=True)
    earliest_on = serializers.DateField(allow_null=True)
    message = serializers.CharField()


@extend_schema_serializer(component_name="KeptResult")
class EligibilitySerializer(serializers.Serializer[Any]):
    """One rank that is open to a student: the path that applies, and what is missing."""

    rank_system = ReferenceSerializer()
    current_rank = ReferenceSerializer(allow_null=True)
    target_rank = ReferenceSerializer()
    status = serializers.ChoiceField(choices=_ELIGIBILITY)
    path = serializers.CharField(allow_null=True)
    earliest_on = serializers.DateField(allow_null=True)
    rule_version = serializers.IntegerField()
    criteria = CriterionSerializer(many=True)


class WarningSerializer(serializers.Serializer[Any]):
    """What prevents an award without a reason: `archived`, `on_hold`, `not_eligible`, `already_awarded`, …"""

    code = serializers.CharField()
    message = serializers.CharField()


@extend_schema_serializer(component_name="JudgedEligibility")
class JudgedEligibilitySerializer(EligibilitySerializer):
    """The check result of a candidate, with the warnings."""

    warnings = WarningSerializer(many=True)


@extend_schema_serializer(component_name="CheckResult")
class CheckResultSerializer(EligibilitySerializer):
    """One rank that is open to one student: the path that applies, and what is missing."""

    student = ReferenceSerializer()


@extend_schema_serializer(component_name="CheckAnswer")
class CheckResponseSerializer(serializers.Serializer[Any]):
    """The results for each student, rank system and rank to which steps lead from the rank held."""

    as_of = serializers.DateField()
    results = CheckResultSerializer(many=True)


def check_result_data(result: CheckResult) -> dict[str, Any]:
    """Return a result in the shape of `CheckResultSerializer`. Ids are UUIDs and dates are dates."""
    step, rules = result.step, result.rules
    return {
        "student": {"id": result.student.pk, "name": result.student.name},
        "rank_system": {"id": rules.system.pk, "name": rules.system.name},
        "current_rank": _rank_data(result, step.current_rank),
        "target_rank": _rank_data(result, step.target_rank),
        "status": step.status.value,
        "path": step.path,
        "earliest_on": step.earliest_on,
        "rule_version": rules.version,
        "criteria": [_criterion_data(criterion) for criterion in step.criteria],
    }


def eligibility_data(result: CheckResult) -> dict[str, Any]:
    """Return a result in the shape of `EligibilitySerializer`: the row that contains it names the student."""
    data = check_result_data(result)
    del data["student"]
    return data


ELIGIBILITY_COLUMNS: Final = (
    "rank_system",
    "current_rank",
    "target_rank",
    "status",
    "path",
    "earliest_on",
    "rule_version",
    "missing",
)
"""The columns of a check result in a table."""


def eligibility_columns(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result in the shape of `EligibilitySerializer` as columns; `missing` says what is not met or unknown."""
    missing = [one["message"] for one in data["criteria"] if one["status"] != Status.MET.value]
    names = {name: (data[name] or {}).get("name") for name in ("rank_system", "current_rank", "target_rank")}
    return {
        **names,
        **{name: data[name] for name in ("status", "path", "earliest_on", "rule_version")},
        "missing": " ".join(missing),
    }


def _rank_data(result: CheckResult, code: str | None) -> dict[str, Any] | None:
    rank = result.rules.ranks.get(code) if code else None
    return {"id": rank.pk, "name": rank.name} if rank else None


def _criterion_data(criterion: CriterionResult) -> dict[str, Any]:
    return {
        "kind": criterion.kind,
        "status": criterion.status.value,
        "have": criterion.have,
        "need": criterion.need,
        "earliest_on": criterion.earliest_on,
        "message": criterion.message,
    }
