"""Examples and operation specs of promotions and exams for the OpenAPI document. The views declare them."""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, OperationSpecs, create_spec, list_spec, resource_specs
from tenant_apps.promotions.federation_report import CANDIDATE_COLUMNS, EXAM_COLUMNS
from tenant_apps.promotions.responses import CheckResponseSerializer
from tenant_apps.promotions.serializers.batches import (
    BatchItemSerializer,
    BatchSerializer,
    NewBatchSerializer,
)
from tenant_apps.promotions.serializers.exams import (
    CandidateSerializer,
    CandidatesSerializer,
    CertificateCheckSerializer,
    ExamSerializer,
    FederationReportSerializer,
    FinishedExamSerializer,
    InvitationsSerializer,
)
from tenant_apps.promotions.serializers.promotions import DecisionSerializer
from tenant_apps.students.openapi import RANK_EVENT_EXAMPLE
from tenant_apps.students.serializers import RankEventSerializer

_CRITERIA: Final = [
    {
        "kind": "attendance_count",
        "status": "not_met",
        "have": 32,
        "need": 40,
        "earliest_on": None,
        "message": "32 of 40 days of training since 5th kyu on 1 February 2026. 8 more are needed.",
    }
]
_ELIGIBILITY: Final[dict[str, Any]] = {
    "rank_system": examples.GRADES,
    "current_rank": examples.FIFTH_KYU,
    "target_rank": examples.FOURTH_KYU,
    "type": "promote",
    "status": "not_eligible",
    "path": "regular",
    "earliest_on": None,
    "rule_version": 1,
    "criteria": _CRITERIA,
    "paths": [{"path": "regular", "status": "not_eligible", "earliest_on": None, "criteria": _CRITERIA}],
    "suggested_rank": None,
}
_AWARD: Final = {**RANK_EVENT_EXAMPLE, "kind": "award"}

# --- checks, awards, decisions, the snapshot ---------------------------------------------------------------------

DECISION_EXAMPLE: Final = examples.row(
    examples.DECISION,
    rank_event=examples.AWARD,
    rule_version=1,
    status="not_eligible",
    path="regular",
    criteria=_CRITERIA,
    override_reason="Graded at the summer school by a visiting teacher.",
    decided_by=examples.HANA,
)
SNAPSHOT_EXAMPLE: Final = examples.row(
    examples.SNAPSHOT,
    student=examples.MIKA,
    rank_system=examples.GRADES,
    target_rank=examples.FOURTH_KYU,
    status="eligible",
    earliest_on="2026-06-01",
    as_of="2026-06-15",
)

CHECK: Final[OperationSpecs] = {
    "POST": OperationSpec(
        request_example={
            "students": [examples.STUDENT],
            "rank_system": examples.RANK_SYSTEM,
            "as_of": "2026-06-15",
        },
        response=CheckResponseSerializer,
        response_example={"as_of": "2026-06-15", "results": [{"student": examples.MIKA, **_ELIGIBILITY}]},
    )
}
PROMOTIONS: Final[OperationSpecs] = {
    "POST": create_spec(
        {
            "student": examples.NEW_STUDENT,
            "target_rank": examples.RANK,
            "effective_on": "2026-06-14",
            "override_reason": "Graded at the summer school by a visiting teacher.",
        },
        _AWARD,
        response=RankEventSerializer,
    )
}
DECISION: Final[OperationSpecs] = {
    "GET": OperationSpec(
        path={"id": examples.AWARD}, response=DecisionSerializer, response_example=DECISION_EXAMPLE
    )
}
SNAPSHOT: Final[OperationSpecs] = {"GET": list_spec(SNAPSHOT_EXAMPLE)}

# --- batches -----------------------------------------------------------------------------------------------------

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
_ITEM: Final[dict[str, Any]] = {
    "id": examples.BATCH_ITEM,
    "student": examples.MIKA,
    "state": "awarded",
    "results": [{**_ELIGIBILITY, "status": "eligible"}],
    "error": {
        "code": "ambiguous_target",
        "message": "More than one rank is open: name the one that is meant.",
    },
    "rank_events": [{"id": examples.AWARD, "rank": examples.FOURTH_KYU, "voided": False}],
}
STORED_ITEM_EXAMPLE: Final = {
    "id": examples.BATCH_ITEM,
    "batch_id": examples.BATCH,
    "student_id": examples.STUDENT,
    "state": "awarded",
    "answers": _ITEM["results"],
    "error": None,
    **examples.STAMPS,
}
"""A batch item as the export of a student's data contains it."""
_BATCH_PATH: Final = {"id": examples.BATCH}

BATCHES: Final[OperationSpecs] = {
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
}
BATCH: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_BATCH_PATH, response=BatchSerializer, response_example=_BATCH)
}
BATCH_RESULTS: Final[OperationSpecs] = {
    "GET": list_spec(_ITEM, path=_BATCH_PATH, response=BatchItemSerializer)
}
CANCEL_BATCH: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_BATCH_PATH,
        request=None,
        response=BatchSerializer,
        response_example={**_BATCH, "status": "cancelled"},
    )
}
REVERT_BATCH: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_BATCH_PATH,
        request_example={"reason": "The wrong list was taken."},
        response=BatchSerializer,
        response_example={**_BATCH, "status": "reverted"},
    )
}

# --- exams -------------------------------------------------------------------------------------------------------

_EXAM_BODY: Final[dict[str, Any]] = {
    "name": "Summer grading",
    "date": "2026-06-27",
    "rank_system": examples.RANK_SYSTEM,
    "location": "Main hall",
    "examiners": [examples.USER],
    "guest_examiners": ["Kenji Mori Shihan"],
    "licences": {"Kenji Mori Shihan": "A licence"},
}
_EXAM: Final = examples.row(
    examples.EXAM,
    **{**_EXAM_BODY, "rank_system": examples.GRADES, "examiners": [examples.HANA]},
    status="open",
    finished_at=None,
    reopened_at=None,
    reopen_reason="",
)
_WARNINGS: Final = [
    {"code": "not_eligible", "message": "The rules do not allow this promotion yet."},
]
JUDGED_EXAMPLE: Final = {**_ELIGIBILITY, "warnings": _WARNINGS}
"""A check result with warnings, as it is stored with a candidate."""
_CANDIDATE: Final = examples.row(
    examples.CANDIDATE,
    student=examples.MIKA,
    target_rank=examples.FOURTH_KYU,
    outcome="passed",
    override_reason="",
    marks={"Kihon": 7, "Kata": 6.5},
    condition=None,
    rank_event=examples.AWARD,
    eligibility=_ELIGIBILITY,
    warnings=_WARNINGS,
    eligibility_at_invitation=JUDGED_EXAMPLE,
)
_STUDENT_EXAM: Final = examples.row(
    examples.CANDIDATE,
    exam=examples.reference(examples.EXAM, "Summer grading"),
    date="2026-06-27",
    finished=True,
    rank_system=examples.GRADES,
    target_rank=examples.FOURTH_KYU,
    outcome="failed",
    marks={"Kihon": 7, "Kata": 3},
    condition=None,
    rank_event=None,
)
_EXAM_PATH: Final = {"exam_id": examples.EXAM}
_FINISHED_EXAM_PATH: Final = {"exam_id": examples.FINISHED_EXAM}
_CONDITIONAL_PATH: Final = {"exam_id": examples.CONDITIONAL_EXAM, "id": examples.CONDITIONAL_CANDIDATE}
_CANDIDATE_PATH: Final = {"exam_id": examples.EXAM, "id": examples.CANDIDATE}

EXAMS: Final[OperationSpecs] = {"GET": list_spec(_EXAM), "POST": create_spec(_EXAM_BODY, _EXAM)}
EXAM: Final[OperationSpecs] = resource_specs({"id": examples.EXAM}, _EXAM, {"location": "Small hall"})
CANDIDATES: Final[OperationSpecs] = {
    "GET": list_spec(_CANDIDATE, path=_EXAM_PATH, response=CandidateSerializer),
    "POST": create_spec(
        {"candidates": [{"student": examples.NEW_STUDENT, "target_rank": examples.RANK}]},
        {"results": [{**_CANDIDATE, "outcome": None, "rank_event": None}]},
        request=InvitationsSerializer,
        path=_EXAM_PATH,
        response=CandidatesSerializer,
    ),
}
CANDIDATE: Final[OperationSpecs] = {"DELETE": OperationSpec(path=_CANDIDATE_PATH, status=204, response=None)}
EXAM_RESULTS: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_EXAM_PATH,
        request_example={
            "results": [
                {
                    "candidate": examples.CANDIDATE,
                    "outcome": "passed",
                    "marks": {"Kihon": 7, "Kata": 6.5},
                    "override_reason": "Two sessions short after an injury; excellent all the same.",
                }
            ]
        },
        response=CandidatesSerializer,
        response_example={"results": [_CANDIDATE]},
    )
}
FULFILMENT: Final[OperationSpecs] = {
    "POST": create_spec(
        {"met_on": "2026-06-14"}, _AWARD, path=_CONDITIONAL_PATH, response=RankEventSerializer
    )
}
STUDENT_EXAMS: Final[OperationSpecs] = {
    "GET": list_spec(_STUDENT_EXAM, path={"student_id": examples.STUDENT})
}
FINISH_EXAM: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_EXAM_PATH,
        request=None,
        response=FinishedExamSerializer,
        response_example={
            **_EXAM,
            "status": "finished",
            "finished_at": examples.NOW,
            "rank_events": [_AWARD],
        },
    )
}
REOPEN_EXAM: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_FINISHED_EXAM_PATH,
        request_example={"reason": "The results of two candidates were mixed up."},
        response=ExamSerializer,
        response_example={
            **_EXAM,
            "reopened_at": examples.NOW,
            "reopen_reason": "The results were mixed up.",
        },
    )
}

# --- PDF files and the check of a certificate --------------------------------------------------------------------

_PDF: Final = {"application/pdf": "%PDF-1.7 …"}

RANK_EVENT_CERTIFICATE: Final[OperationSpecs] = {
    "GET": OperationSpec(path={"id": examples.AWARD}, text_examples=_PDF)
}
EXAM_CERTIFICATES: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_FINISHED_EXAM_PATH, text_examples=_PDF)
}
EXAMINERS_LIST: Final[OperationSpecs] = {"GET": OperationSpec(path=_EXAM_PATH, text_examples=_PDF)}
CANDIDATE_SHEET: Final[OperationSpecs] = {"GET": OperationSpec(path=_CANDIDATE_PATH, text_examples=_PDF)}
FEDERATION_REPORT_PDF: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_FINISHED_EXAM_PATH, text_examples=_PDF)
}
_FEDERATION_EXAM: Final = {
    "dojo": "Seishin Dojo",
    "exam": "Summer grading",
    "date": "2026-06-27",
    "location": "Main hall",
    "rank_system": "Aikikai Hombu grades",
    "examiners": ["Hana Mori", "Kenji Mori Shihan"],
    "status": "finished",
}
_FEDERATION_LINE: Final = {
    "number": 1,
    "student_id": examples.STUDENT,
    "external_id": "M-1024",
    "licence_number": "DAB-20417",
    "last_name": "Sato",
    "first_name": "Mika",
    "name": "Mika Sato",
    "birth_date": "2012-03-01",
    "gender": "",
    "rank_before": "5th kyu",
    "rank_sought": "4th kyu",
    "outcome": "passed",
    "rank_awarded": "4th kyu",
    "awarded_on": "2026-06-27",
    "certificate_number": "KITA-2026-0042",
}
FEDERATION_REPORT: Final[OperationSpecs] = {
    "GET": OperationSpec(
        path=_FINISHED_EXAM_PATH,
        response=FederationReportSerializer,
        response_example={"exam": _FEDERATION_EXAM, "results": [_FEDERATION_LINE]},
        text_examples={
            "text/csv": f"{','.join((*EXAM_COLUMNS, *CANDIDATE_COLUMNS))}\r\n"
            'Seishin Dojo,Summer grading,2026-06-27,Main hall,Aikikai Hombu grades,"Hana Mori, Kenji Mori Shihan",'
            f"finished,1,{examples.STUDENT},M-1024,DAB-20417,Sato,Mika,Mika Sato,2012-03-01,,5th kyu,4th kyu,passed,"
            "4th kyu,2026-06-27,KITA-2026-0042\r\n"
        },
    )
}
CERTIFICATE_CHECK: Final[OperationSpecs] = {
    "GET": OperationSpec(
        path={"code": examples.CERTIFICATE},
        response=CertificateCheckSerializer,
        response_example={
            "code": examples.CERTIFICATE,
            "dojo": "Seishin Dojo",
            "status": "genuine",
            "number": "KITA-2026-0042",
            "initials": "M. S.",
            "rank": "4th kyu",
            "awarded_on": "2026-06-27",
            "held": True,
            "held_until": None,
        },
    )
}
