"""Check results as the API returns them, and as decisions and batch items store them.

A check may return thousands of results, so they are built as dicts. The serializers document their shape, and return
results that were stored.
"""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tatami.api.serializers import ReferenceSerializer
from tenant_apps.promotions.check import CheckResult
from tenant_apps.promotions.engine import CriterionResult, Eligibility, PathResult, Status
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.services import RulesInForce

_ELIGIBILITY: Final = [one.value for one in Eligibility]
_STATUS: Final = [one.value for one in Status]
_TYPES: Final = [one.value for one in StepType]


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


class PathSerializer(serializers.Serializer[Any]):
    """One way to the rank, by itself: its criteria, and from when it is open if no fact changes."""

    path = serializers.CharField()
    status = serializers.ChoiceField(choices=_ELIGIBILITY)
    earliest_on = serializers.DateField(allow_null=True)
    criteria = CriterionSerializer(many=True)


@extend_schema_serializer(component_name="KeptResult")
class EligibilitySerializer(serializers.Serializer[Any]):
    """One rank that is open to a student: all paths, the best first, and what is missing on the best one.

    `type` is null if no step leads to the rank. `suggested_rank`: the rank of a conversion, for a student who is too
    old for this step. `type`, `paths` and `suggested_rank` are missing in results that an earlier version stored.
    """

    rank_system = ReferenceSerializer()
    current_rank = ReferenceSerializer(allow_null=True)
    target_rank = ReferenceSerializer()
    type = serializers.ChoiceField(choices=_TYPES, allow_null=True, required=False)
    status = serializers.ChoiceField(choices=_ELIGIBILITY)
    path = serializers.CharField(allow_null=True)
    earliest_on = serializers.DateField(allow_null=True)
    rule_version = serializers.IntegerField()
    criteria = CriterionSerializer(many=True)
    paths = PathSerializer(many=True, required=False)
    suggested_rank = ReferenceSerializer(allow_null=True, required=False)


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
    """One rank that is open to one student: all paths, the best first, and what is missing on the best one.

    `type` is null if no step leads to the rank. `suggested_rank`: the rank of a conversion, for a student who is too
    old for this step.
    """

    student = ReferenceSerializer()
    type = serializers.ChoiceField(choices=_TYPES, allow_null=True)
    paths = PathSerializer(many=True)
    suggested_rank = ReferenceSerializer(allow_null=True)


@extend_schema_serializer(component_name="CheckAnswer")
class CheckResponseSerializer(serializers.Serializer[Any]):
    """The results for each student, rank system and rank to which steps lead from the rank held."""

    as_of = serializers.DateField()
    results = CheckResultSerializer(many=True)


def check_result_data(result: CheckResult) -> dict[str, Any]:
    """Return a result in the shape of `CheckResultSerializer`. Ids are UUIDs and dates are dates."""
    student, rules, step = result
    paths = [_path_data(path) for path in step.paths]
    criteria = paths[0]["criteria"] if paths else [_criterion_data(one) for one in step.criteria]
    return {
        "student": {"id": student.id, "name": student.name},
        "rank_system": {"id": rules.system.id, "name": rules.system.name},
        "current_rank": _rank_data(rules, step.current_rank),
        "target_rank": _rank_data(rules, step.target_rank),
        "type": step.step_type,
        "status": step.status,
        "path": step.path,
        "earliest_on": step.earliest_on,
        "rule_version": rules.version,
        "criteria": criteria,
        "paths": paths,
        "suggested_rank": _rank_data(rules, step.suggested_rank),
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
    "type",
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
        "type": data.get("type"),
        **{name: data[name] for name in ("status", "path", "earliest_on", "rule_version")},
        "missing": " ".join(missing),
    }


def _rank_data(rules: RulesInForce, code: str | None) -> dict[str, Any] | None:
    rank = rules.ranks.get(code) if code else None
    return {"id": rank.id, "name": rank.name} if rank else None


def _path_data(path: PathResult) -> dict[str, Any]:
    name, _, status, earliest_on, criteria = path
    return {
        "path": name,
        "status": status,
        "earliest_on": earliest_on,
        "criteria": [_criterion_data(criterion) for criterion in criteria],
    }


def _criterion_data(criterion: CriterionResult) -> dict[str, Any]:
    kind, status, have, need, earliest_on, message = criterion
    return {
        "kind": kind,
        "status": status,
        "have": have,
        "need": need,
        "earliest_on": earliest_on,
        "message": message,
    }
