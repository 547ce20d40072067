"""May they be promoted; then promoting them, one or many."""

from typing import Any, Final

from rest_framework import serializers

from shared_apps.accounts.serializers import ReferenceSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.engine.results import Status
from tenant_apps.promotions.serializers import (
    BatchItemSerializer,
    BatchSerializer,
    DecisionSerializer,
    NewBatchSerializer,
)
from tenant_apps.students.openapi import RANK_EVENT_EXAMPLE
from tenant_apps.students.serializers import RankEventSerializer

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
    "student": examples.MIKA,
    "rank_system": examples.GRADES,
    "current_rank": examples.FIFTH_KYU,
    "target_rank": examples.FOURTH_KYU,
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

KEPT_RESULT_EXAMPLE: Final = {name: value for name, value in _RESULT.items() if name != "student"}
DECISION_EXAMPLE: Final = examples.row(
    examples.DECISION,
    rank_event=examples.AWARD,
    rule_version=1,
    status="not_eligible",
    path="regular",
    criteria=_RESULT["criteria"],
    override_reason="Graded at the summer school by a visiting teacher.",
    decided_by=examples.HANA,
)
_BATCH: Final = examples.row(
    examples.BATCH,
    status="running",
    total=80,
    done=20,
    url=f"/promotions/batches/{examples.BATCH}",
    award=True,
    as_of="2026-06-15",
    rank_system=examples.GRADES,
    target_ranks=[examples.RANK],
    checked=0,
    awarded=14,
    refused=6,
    failed=0,
    cancelled=0,
    reverted=0,
    requested_by=examples.HANA,
    started_at=examples.NOW,
    finished_at=None,
    cancelled_at=None,
    reverted_at=None,
    revert_reason="",
)
_ITEM: Final = {
    "id": examples.BATCH_ITEM,
    "student": examples.MIKA,
    "state": "awarded",
    "results": [{**KEPT_RESULT_EXAMPLE, "status": "eligible"}],
    "error": {
        "code": "ambiguous_target",
        "message": "More than one rank is open: name the one that is meant.",
    },
    "rank_events": [{"id": examples.AWARD, "rank": examples.FOURTH_KYU, "voided": False}],
}
SNAPSHOT_EXAMPLE: Final = examples.row(
    examples.SNAPSHOT,
    student=examples.MIKA,
    rank_system=examples.GRADES,
    target_rank=examples.FOURTH_KYU,
    status="eligible",
    earliest_on="2026-06-01",
    as_of="2026-06-15",
)
KEPT_ITEM_EXAMPLE: Final = {
    "id": examples.BATCH_ITEM,
    "batch_id": examples.BATCH,
    "student_id": examples.STUDENT,
    "state": "awarded",
    "answers": _ITEM["results"],
    "error": None,
    **examples.STAMPS,
}
_BATCH_AT: Final = {"id": examples.BATCH}


class KeptResultSerializer(CheckResultSerializer):
    """One step that is open to a student, without naming her again."""

    student = None  # type: ignore[assignment]


class BatchErrorSerializer(serializers.Serializer[Any]):
    """Why nothing was done."""

    code = serializers.CharField()
    message = serializers.CharField()


class AwardedSerializer(serializers.Serializer[Any]):
    """A rank that was awarded."""

    id = serializers.UUIDField()
    rank = ReferenceSerializer()
    voided = serializers.BooleanField()


class BatchItemAnswerSerializer(BatchItemSerializer):
    """What became of one student of a batch; `results` are as in a check, `rank_events` what was awarded."""

    results = KeptResultSerializer(many=True)  # type: ignore[assignment]
    error = BatchErrorSerializer(allow_null=True)  # type: ignore[assignment]
    rank_events = AwardedSerializer(many=True)  # type: ignore[assignment]


class DecisionAnswerSerializer(DecisionSerializer):
    """Why a rank was awarded."""

    criteria = CriterionSerializer(many=True)


PROMOTIONS: Final = {
    "promotions": {
        "POST": create_spec(
            {
                "student": examples.NEW_STUDENT,
                "target_rank": examples.RANK,
                "effective_on": "2026-06-14",
                "override_reason": "Graded at the summer school by a visiting teacher.",
            },
            {**RANK_EVENT_EXAMPLE, "kind": "award"},
            response=RankEventSerializer,
        )
    },
    "rank-event-decision": {
        "GET": OperationSpec(
            path={"id": examples.AWARD}, response=DecisionAnswerSerializer, response_example=DECISION_EXAMPLE
        )
    },
    "promotion-snapshot": {"GET": list_spec(SNAPSHOT_EXAMPLE)},
    "promotion-batches": {
        "GET": list_spec(_BATCH, response=BatchSerializer),
        "POST": OperationSpec(
            request=NewBatchSerializer,
            request_example={
                "filter": {"class": examples.CLASS, "rank_system": examples.RANK_SYSTEM},
                "rank_system": examples.RANK_SYSTEM,
                "target_ranks": [examples.RANK],
                "award": True,
                "as_of": "2026-06-15",
            },
            status=202,
            response=BatchSerializer,
            response_example={**_BATCH, "status": "queued"},
        ),
    },
    "promotion-batch": {
        "GET": OperationSpec(path=_BATCH_AT, response=BatchSerializer, response_example=_BATCH)
    },
    "promotion-batch-results": {"GET": list_spec(_ITEM, path=_BATCH_AT, response=BatchItemAnswerSerializer)},
    "promotion-batch-cancel": {
        "POST": OperationSpec(
            path=_BATCH_AT,
            request=None,
            response=BatchSerializer,
            response_example={**_BATCH, "status": "cancelled"},
        )
    },
    "promotion-batch-revert": {
        "POST": OperationSpec(
            path=_BATCH_AT,
            request_example={"reason": "The wrong list was taken."},
            response=BatchSerializer,
            response_example={**_BATCH, "status": "reverted"},
        )
    },
    "promotion-check": {
        "POST": OperationSpec(
            request_example={
                "students": [examples.STUDENT],
                "rank_system": examples.RANK_SYSTEM,
                "as_of": "2026-06-15",
            },
            response=CheckAnswerSerializer,
            response_example={"as_of": "2026-06-15", "results": [_RESULT]},
        )
    },
}
