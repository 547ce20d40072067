"""Exams and their papers."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, silent
from config.openapi.promotions import KEPT_RESULT_EXAMPLE, KeptResultSerializer
from config.openapi.students import EVENT_EXAMPLE, RankEventAnswerSerializer
from tatami.api.openapi import Described
from tenant_apps.promotions.exam_serializers import CandidateSerializer, ExamSerializer

_PDF: Final = {"application/pdf": "%PDF-1.7 …"}
_BODY: Final = {
    "name": "Summer grading",
    "date": "2026-06-27",
    "rank_system": values.RANK_SYSTEM,
    "location": "Main hall",
    "examiners": [values.USER],
    "guest_examiners": ["Kenji Mori Shihan"],
}
_EXAM: Final = values.row(
    values.EXAM,
    **{**_BODY, "rank_system": values.GRADES, "examiners": [values.HANA]},
    status="open",
    finished_at=None,
    reopened_at=None,
    reopen_reason="",
)
_CANDIDATE: Final = values.row(
    values.CANDIDATE,
    student=values.MIKA,
    target_rank=values.FOURTH_KYU,
    outcome="passed",
    override_reason="",
    rank_event=values.AWARD,
    eligibility=KEPT_RESULT_EXAMPLE,
)
_AT: Final = {"id": values.EXAM}
_OF: Final = {"exam_id": values.EXAM}
_ONE: Final = {"exam_id": values.EXAM, "id": values.CANDIDATE}


class CandidateAnswerSerializer(CandidateSerializer):
    """Who is examined for which rank, and how it went."""

    outcome = serializers.ChoiceField(choices=["passed", "failed", "absent"], allow_null=True)  # type: ignore[assignment]
    eligibility = KeptResultSerializer()  # type: ignore[assignment]


class CandidatesSerializer(serializers.Serializer[Any]):
    """Candidates, by name."""

    results = CandidateAnswerSerializer(many=True)


class FinishedExamSerializer(ExamSerializer):
    """A finished exam, and what it awarded."""

    rank_events = RankEventAnswerSerializer(many=True)

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
    "exams": {"GET": listed(_EXAM), "POST": made(_BODY, _EXAM)},
    "exam": {
        "GET": Described(at=_AT, shown=_EXAM),
        "PATCH": Described(
            at=_AT, body={"location": "Small hall"}, shown={**_EXAM, "location": "Small hall"}
        ),
        "DELETE": silent(at=_AT),
    },
    "exam-candidates": {
        "GET": listed(_CANDIDATE, at=_OF, answer=CandidateAnswerSerializer),
        "POST": made(
            {"candidates": [{"student": values.NEW_STUDENT, "target_rank": values.RANK}]},
            {"results": [{**_CANDIDATE, "outcome": None, "rank_event": None}]},
            at=_OF,
            answer=CandidatesSerializer,
        ),
    },
    "exam-candidate": {"DELETE": silent(at=_ONE)},
    "exam-results": {
        "POST": Described(
            at=_OF,
            body={
                "results": [
                    {
                        "candidate": values.CANDIDATE,
                        "outcome": "passed",
                        "override_reason": "Two sessions short after an injury; excellent all the same.",
                    }
                ]
            },
            answer=CandidatesSerializer,
            shown={"results": [_CANDIDATE]},
        )
    },
    "exam-finish": {
        "POST": Described(
            at=_OF,
            takes=None,
            answer=FinishedExamSerializer,
            shown={
                **_EXAM,
                "status": "finished",
                "finished_at": values.NOW,
                "rank_events": [{**EVENT_EXAMPLE, "kind": "award"}],
            },
        )
    },
    "exam-reopening": {
        "POST": Described(
            at={"exam_id": values.FINISHED_EXAM},
            body={"reason": "The results of two candidates were mixed up."},
            answer=ExamSerializer,
            shown={**_EXAM, "reopened_at": values.NOW, "reopen_reason": "The results were mixed up."},
        )
    },
    "exam-list": {"GET": Described(at=_OF, written=_PDF)},
    "exam-certificates": {"GET": Described(at={"exam_id": values.FINISHED_EXAM}, written=_PDF)},
    "exam-candidate-sheet": {"GET": Described(at=_ONE, written=_PDF)},
    "rank-event-certificate": {"GET": Described(at={"id": values.AWARD}, written=_PDF)},
    "certificate": {
        "GET": Described(
            at={"code": values.CERTIFICATE},
            answer=CertificateCheckSerializer,
            shown={
                "code": values.CERTIFICATE,
                "dojo": "Seishin Dojo",
                "status": "genuine",
                "rank": "4th kyu",
                "awarded_on": "2026-06-27",
            },
        )
    },
}
