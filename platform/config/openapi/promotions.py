"""May they be promoted; then promoting them, one or many."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.accounts import ReferenceSerializer
from config.openapi.frequent import listed, made
from config.openapi.students import EVENT_EXAMPLE, RankEventAnswerSerializer
from tatami.api.openapi import Described
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.engine.results import Status
from tenant_apps.promotions.serializers import (
    BatchItemSerializer,
    BatchSerializer,
    DecisionSerializer,
    NewBatchSerializer,
)

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

KEPT_RESULT_EXAMPLE: Final = {name: value for name, value in _RESULT.items() if name != "student"}
DECISION_EXAMPLE: Final = values.row(
    values.DECISION,
    rank_event=values.AWARD,
    rule_version=1,
    status="not_eligible",
    path="regular",
    criteria=_RESULT["criteria"],
    override_reason="Graded at the summer school by a visiting teacher.",
    decided_by=values.HANA,
)
_BATCH: Final = values.row(
    values.BATCH,
    status="running",
    total=80,
    done=20,
    url=f"/promotions/batches/{values.BATCH}",
    award=True,
    as_of="2026-06-15",
    rank_system=values.GRADES,
    target_ranks=[values.RANK],
    checked=0,
    awarded=14,
    refused=6,
    failed=0,
    cancelled=0,
    reverted=0,
    requested_by=values.HANA,
    started_at=values.NOW,
    finished_at=None,
    cancelled_at=None,
    reverted_at=None,
    revert_reason="",
)
_ITEM: Final = {
    "id": values.BATCH_ITEM,
    "student": values.MIKA,
    "state": "awarded",
    "results": [{**KEPT_RESULT_EXAMPLE, "status": "eligible"}],
    "error": {
        "code": "ambiguous_target",
        "message": "More than one rank is open: name the one that is meant.",
    },
    "rank_events": [{"id": values.AWARD, "rank": values.FOURTH_KYU, "voided": False}],
}
SNAPSHOT_EXAMPLE: Final = values.row(
    values.SNAPSHOT,
    student=values.MIKA,
    rank_system=values.GRADES,
    target_rank=values.FOURTH_KYU,
    status="eligible",
    earliest_on="2026-06-01",
    as_of="2026-06-15",
)
KEPT_ITEM_EXAMPLE: Final = {
    "id": values.BATCH_ITEM,
    "batch_id": values.BATCH,
    "student_id": values.STUDENT,
    "state": "awarded",
    "answers": _ITEM["results"],
    "error": None,
    **values.STAMPS,
}
_BATCH_AT: Final = {"id": values.BATCH}


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
        "POST": made(
            {
                "student": values.NEW_STUDENT,
                "target_rank": values.RANK,
                "effective_on": "2026-06-14",
                "override_reason": "Graded at the summer school by a visiting teacher.",
            },
            {**EVENT_EXAMPLE, "kind": "award"},
            answer=RankEventAnswerSerializer,
        )
    },
    "rank-event-decision": {
        "GET": Described(at={"id": values.AWARD}, answer=DecisionAnswerSerializer, shown=DECISION_EXAMPLE)
    },
    "promotion-snapshot": {"GET": listed(SNAPSHOT_EXAMPLE)},
    "promotion-batches": {
        "GET": listed(_BATCH, answer=BatchSerializer),
        "POST": Described(
            takes=NewBatchSerializer,
            body={
                "filter": {"class": values.CLASS, "rank_system": values.RANK_SYSTEM},
                "rank_system": values.RANK_SYSTEM,
                "target_ranks": [values.RANK],
                "award": True,
                "as_of": "2026-06-15",
            },
            status=202,
            answer=BatchSerializer,
            shown={**_BATCH, "status": "queued"},
        ),
    },
    "promotion-batch": {"GET": Described(at=_BATCH_AT, answer=BatchSerializer, shown=_BATCH)},
    "promotion-batch-results": {"GET": listed(_ITEM, at=_BATCH_AT, answer=BatchItemAnswerSerializer)},
    "promotion-batch-cancel": {
        "POST": Described(
            at=_BATCH_AT, takes=None, answer=BatchSerializer, shown={**_BATCH, "status": "cancelled"}
        )
    },
    "promotion-batch-revert": {
        "POST": Described(
            at=_BATCH_AT,
            body={"reason": "The wrong list was taken."},
            answer=BatchSerializer,
            shown={**_BATCH, "status": "reverted"},
        )
    },
    "promotion-check": {
        "POST": Described(
            body={"students": [values.STUDENT], "rank_system": values.RANK_SYSTEM, "as_of": "2026-06-15"},
            answer=CheckAnswerSerializer,
            shown={"as_of": "2026-06-15", "results": [_RESULT]},
        )
    },
}
