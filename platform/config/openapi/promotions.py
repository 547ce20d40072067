"""May they be promoted?"""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.accounts import ReferenceSerializer
from tatami.api.openapi import Described
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.engine.results import Status

_ELIGIBILITY: Final = [one.value for one in Eligibility]
_STATUS: Final = [one.value for one in Status]


class CriterionSerializer(serializers.Serializer[Any]):
    """One criterion as of the date asked. `have` and `need` are in its own unit; `message` is for a parent."""

    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=_STATUS)
    have = serializers.FloatField(allow_null=True)
    need = serializers.FloatField(allow_null=True)
    earliest_on = serializers.DateField(allow_null=True)
    message = serializers.CharField()


class CheckResultSerializer(serializers.Serializer[Any]):
    """One step that is open to a student: by which path, and what is missing."""

    student = ReferenceSerializer()
    rank_system = ReferenceSerializer()
    current_rank = ReferenceSerializer(allow_null=True)
    target_rank = ReferenceSerializer()
    status = serializers.ChoiceField(choices=_ELIGIBILITY)
    path = serializers.CharField(allow_null=True)
    earliest_on = serializers.DateField(allow_null=True)
    rule_version = serializers.IntegerField()
    criteria = CriterionSerializer(many=True)


class CheckAnswerSerializer(serializers.Serializer[Any]):
    """The results for each student, rank system and step open from the rank held."""

    as_of = serializers.DateField()
    results = CheckResultSerializer(many=True)


_RESULT: Final = {
    "student": values.MIKA,
    "rank_system": values.GRADES,
    "current_rank": values.FIFTH_KYU,
    "target_rank": values.FOURTH_KYU,
    "status": "not_eligible",
    "path": "regular",
    "earliest_on": None,
    "rule_version": 1,
    "criteria": [
        {
            "kind": "attendance_count",
            "status": "not_met",
            "have": 32,
            "need": 40,
            "earliest_on": None,
            "message": "32 of 40 days of training are done.",
        }
    ],
}

PROMOTIONS: Final = {
    "promotion-check": {
        "POST": Described(
            body={"students": [values.STUDENT], "rank_system": values.RANK_SYSTEM, "as_of": "2026-06-15"},
            answer=CheckAnswerSerializer,
            shown={"as_of": "2026-06-15", "results": [_RESULT]},
        )
    },
}
