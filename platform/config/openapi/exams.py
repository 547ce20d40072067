"""Exams and their papers."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi.promotions import KEPT_RESULT_EXAMPLE, KeptResultSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec
from tenant_apps.promotions.exam_serializers import CandidateSerializer, ExamSerializer
from tenant_apps.students.openapi import RANK_EVENT_EXAMPLE
from tenant_apps.students.serializers import RankEventSerializer

_PDF: Final = {"application/pdf": "%PDF-1.7 …"}
_BODY: Final = {
    "name": "Summer grading",
    "date": "2026-06-27",
    "rank_system": examples.RANK_SYSTEM,
    "location": "Main hall",
    "examiners": [examples.USER],
    "guest_examiners": ["Kenji Mori Shihan"],
}
_EXAM: Final = examples.row(
    examples.EXAM,
    **{**_BODY, "rank_system": examples.GRADES, "examiners": [examples.HANA]},
    status="open",
    finished_at=None,
    reopened_at=None,
    reopen_reason="",
)
_CANDIDATE: Final = examples.row(
    examples.CANDIDATE,
    student=examples.MIKA,
    target_rank=examples.FOURTH_KYU,
    outcome="passed",
    override_reason="",
    rank_event=examples.AWARD,
    eligibility=KEPT_RESULT_EXAMPLE,
)
_AT: Final = {"id": examples.EXAM}
_OF: Final = {"exam_id": examples.EXAM}
_ONE: Final = {"exam_id": examples.EXAM, "id": examples.CANDIDATE}


class CandidateAnswerSerializer(CandidateSerializer):
    """Who is examined for which rank, and how it went."""

    outcome = serializers.ChoiceField(choices=["passed", "failed", "absent"], allow_null=True)  # type: ignore[assignment]
    eligibility = KeptResultSerializer()  # type: ignore[assignment]


class CandidatesSerializer(serializers.Serializer[Any]):
    """Candidates, by name."""

    results = CandidateAnswerSerializer(many=True)


class FinishedExamSerializer(ExamSerializer):
    """A finished exam, and what it awarded."""

    rank_events = RankEventSerializer(many=True)

    class Meta(ExamSerializer.Meta):
        fields = (*ExamSerializer.Meta.fields, "rank_events")  # type: ignore[assignment]


class CertificateCheckSerializer(serializers.Serializer[Any]):
    """Is it genuine? `rank` and `awarded_on` are told of a genuine one, so that an altered paper is seen to be."""

    code = serializers.CharField()
    dojo = serializers.CharField()
    status = serializers.ChoiceField(choices=["genuine", "revoked", "unknown"])
    rank = serializers.CharField(allow_null=True)
    awarded_on = serializers.DateField(allow_null=True)


EXAMS: Final = {
    "exams": {"GET": list_spec(_EXAM), "POST": create_spec(_BODY, _EXAM)},
    "exam": {
        "GET": OperationSpec(path=_AT, response_example=_EXAM),
        "PATCH": OperationSpec(
            path=_AT,
            request_example={"location": "Small hall"},
            response_example={**_EXAM, "location": "Small hall"},
        ),
        "DELETE": no_content_spec(path=_AT),
    },
    "exam-candidates": {
        "GET": list_spec(_CANDIDATE, path=_OF, response=CandidateAnswerSerializer),
        "POST": create_spec(
            {"candidates": [{"student": examples.NEW_STUDENT, "target_rank": examples.RANK}]},
            {"results": [{**_CANDIDATE, "outcome": None, "rank_event": None}]},
            path=_OF,
            response=CandidatesSerializer,
        ),
    },
    "exam-candidate": {"DELETE": no_content_spec(path=_ONE)},
    "exam-results": {
        "POST": OperationSpec(
            path=_OF,
            request_example={
                "results": [
                    {
                        "candidate": examples.CANDIDATE,
                        "outcome": "passed",
                        "override_reason": "Two sessions short after an injury; excellent all the same.",
                    }
                ]
            },
            response=CandidatesSerializer,
            response_example={"results": [_CANDIDATE]},
        )
    },
    "exam-finish": {
        "POST": OperationSpec(
            path=_OF,
            request=None,
            response=FinishedExamSerializer,
            response_example={
                **_EXAM,
                "status": "finished",
                "finished_at": examples.NOW,
                "rank_events": [{**RANK_EVENT_EXAMPLE, "kind": "award"}],
            },
        )
    },
    "exam-reopening": {
        "POST": OperationSpec(
            path={"exam_id": examples.FINISHED_EXAM},
            request_example={"reason": "The results of two candidates were mixed up."},
            response=ExamSerializer,
            response_example={
                **_EXAM,
                "reopened_at": examples.NOW,
                "reopen_reason": "The results were mixed up.",
            },
        )
    },
    "exam-list": {"GET": OperationSpec(path=_OF, text_examples=_PDF)},
    "exam-certificates": {"GET": OperationSpec(path={"exam_id": examples.FINISHED_EXAM}, text_examples=_PDF)},
    "exam-candidate-sheet": {"GET": OperationSpec(path=_ONE, text_examples=_PDF)},
    "rank-event-certificate": {"GET": OperationSpec(path={"id": examples.AWARD}, text_examples=_PDF)},
    "certificate": {
        "GET": OperationSpec(
            path={"code": examples.CERTIFICATE},
            response=CertificateCheckSerializer,
            response_example={
                "code": examples.CERTIFICATE,
                "dojo": "Seishin Dojo",
                "status": "genuine",
                "rank": "4th kyu",
                "awarded_on": "2026-06-27",
            },
        )
    },
}
