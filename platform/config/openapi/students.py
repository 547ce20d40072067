"""Students, and what is known about each."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, resource_specs
from tenant_apps.students.models import RankEvent
from tenant_apps.students.serializers import FactSerializer, RankEventSerializer


@extend_schema_serializer(component_name="RankEvent")
class RankEventAnswerSerializer(RankEventSerializer):
    """A line of a rank history; an award comes from a promotion."""

    kind = serializers.ChoiceField(choices=RankEvent.Kind.choices)


_GUARDIAN: Final = {"name": "Hana Sato", "email": examples.EMAIL, "phone": "030 1234"}
_ABOUT: Final = {
    "first_name": "Mika",
    "last_name": "Sato",
    "email": "mika@example.com",
    "phone": "",
    "birth_date": "2012-03-01",
    "gender": "",
    "status": "active",
    "joined_on": "2025-09-01",
    "external_id": "M-1024",
    "medical_notes": "Asthma: the spray is in the red bag.",
}
MIKA_EXAMPLE: Final = examples.row(
    examples.STUDENT,
    **_ABOUT,
    name="Mika Sato",
    guardians=[{"id": examples.GUARDIAN, **_GUARDIAN, "relation": "mother"}],
    ranks=[
        {**examples.FIFTH_KYU, "code": "5-kyu", "rank_system": examples.GRADES, "since": "2026-01-10"},
    ],
    archived=False,
)
_AT: Final = {"id": examples.STUDENT}
_OF: Final = {"student_id": examples.STUDENT}
NOTE_EXAMPLE: Final = examples.row(
    examples.NOTE, text="Spares the left knee until the summer camp.", author=examples.HANA
)
_HOLD_BODY: Final = {"from": "2026-07-01", "until": "2026-08-31", "reason": "A broken arm"}
HOLD_EXAMPLE: Final = examples.row(examples.HOLD, **_HOLD_BODY)
_FACT_BODY: Final = {
    "kind": "points",
    "rank_system": examples.RANK_SYSTEM,
    "value": 12,
    "on": "2026-03-01",
    "expires_on": None,
    "note": "Spring tournament",
}
FACT_EXAMPLE: Final = examples.row(
    examples.FACT,
    **{**_FACT_BODY, "rank_system": examples.GRADES},
    recorded_by=examples.HANA,
    voided=False,
    void_reason="",
)
_EVENT_BODY: Final = {
    "rank": examples.RANK,
    "kind": "import",
    "effective_on": "2026-03-01",
    "note": "From the old index cards",
}
EVENT_EXAMPLE: Final = examples.row(
    examples.RANK_EVENT,
    **{**_EVENT_BODY, "rank": examples.FIFTH_KYU},
    student=examples.MIKA,
    rank_system=examples.GRADES,
    recorded_by=examples.HANA,
    voided=False,
    void_reason="",
)
_REASON: Final = {"reason": "It was entered twice."}
_VOIDED: Final = {"voided": True, "void_reason": _REASON["reason"]}


def _void(id_: str, shown: dict[str, Any], answer: Any) -> OperationSpec:
    return OperationSpec(
        path={"id": id_}, request_example=_REASON, response=answer, response_example={**shown, **_VOIDED}
    )


STUDENTS: Final = {
    "students": {
        "GET": list_spec(MIKA_EXAMPLE),
        "POST": create_spec(
            {**_ABOUT, "guardians": [{**_GUARDIAN, "relation": "mother"}]}, {**MIKA_EXAMPLE, "ranks": []}
        ),
    },
    "student": resource_specs(_AT, MIKA_EXAMPLE, {"phone": "030 5678"}),
    "guardians": {"GET": list_spec(examples.row(examples.GUARDIAN, **_GUARDIAN))},
    "student-notes": {
        "GET": list_spec(NOTE_EXAMPLE, path=_OF),
        "POST": create_spec({"text": NOTE_EXAMPLE["text"]}, NOTE_EXAMPLE, path=_OF),
    },
    "student-note": resource_specs(
        {**_OF, "id": examples.NOTE}, NOTE_EXAMPLE, {"text": "Both knees are well again."}
    ),
    "student-holds": {
        "GET": list_spec(HOLD_EXAMPLE, path=_OF),
        "POST": create_spec(_HOLD_BODY, HOLD_EXAMPLE, path=_OF),
    },
    "student-hold": resource_specs({**_OF, "id": examples.HOLD}, HOLD_EXAMPLE, {"until": "2026-07-31"}),
    "student-facts": {
        "GET": list_spec(FACT_EXAMPLE, path=_OF),
        "POST": create_spec(_FACT_BODY, FACT_EXAMPLE, path=_OF),
    },
    "fact-void": {"POST": _void(examples.FACT, FACT_EXAMPLE, FactSerializer)},
    "student-rank-events": {
        "GET": list_spec(EVENT_EXAMPLE, path=_OF, response=RankEventAnswerSerializer),
        "POST": create_spec(_EVENT_BODY, EVENT_EXAMPLE, path=_OF, response=RankEventAnswerSerializer),
    },
    "rank-events": {"GET": list_spec(EVENT_EXAMPLE, response=RankEventAnswerSerializer)},
    "rank-event-void": {"POST": _void(examples.RANK_EVENT, EVENT_EXAMPLE, RankEventAnswerSerializer)},
}
