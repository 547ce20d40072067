"""Students, and what is known about each."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, resource
from tatami.api.openapi import Described
from tenant_apps.students.models import RankEvent
from tenant_apps.students.serializers import FactSerializer, RankEventSerializer


@extend_schema_serializer(component_name="RankEvent")
class RankEventAnswerSerializer(RankEventSerializer):
    """A line of a rank history; an award comes from a promotion."""

    kind = serializers.ChoiceField(choices=RankEvent.Kind.choices)


_GUARDIAN: Final = {"name": "Hana Sato", "email": values.EMAIL, "phone": "030 1234"}
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
MIKA_EXAMPLE: Final = values.row(
    values.STUDENT,
    **_ABOUT,
    name="Mika Sato",
    guardians=[{"id": values.GUARDIAN, **_GUARDIAN, "relation": "mother"}],
    ranks=[
        {**values.FIFTH_KYU, "code": "5-kyu", "rank_system": values.GRADES, "since": "2026-01-10"},
    ],
    archived=False,
)
_AT: Final = {"id": values.STUDENT}
_OF: Final = {"student_id": values.STUDENT}
NOTE_EXAMPLE: Final = values.row(
    values.NOTE, text="Spares the left knee until the summer camp.", author=values.HANA
)
_HOLD_BODY: Final = {"from": "2026-07-01", "until": "2026-08-31", "reason": "A broken arm"}
HOLD_EXAMPLE: Final = values.row(values.HOLD, **_HOLD_BODY)
_FACT_BODY: Final = {
    "kind": "points",
    "rank_system": values.RANK_SYSTEM,
    "value": 12,
    "on": "2026-03-01",
    "expires_on": None,
    "note": "Spring tournament",
}
FACT_EXAMPLE: Final = values.row(
    values.FACT,
    **{**_FACT_BODY, "rank_system": values.GRADES},
    recorded_by=values.HANA,
    voided=False,
    void_reason="",
)
_EVENT_BODY: Final = {
    "rank": values.RANK,
    "kind": "import",
    "effective_on": "2026-03-01",
    "note": "From the old index cards",
}
EVENT_EXAMPLE: Final = values.row(
    values.RANK_EVENT,
    **{**_EVENT_BODY, "rank": values.FIFTH_KYU},
    student=values.MIKA,
    rank_system=values.GRADES,
    recorded_by=values.HANA,
    voided=False,
    void_reason="",
)
_REASON: Final = {"reason": "It was entered twice."}
_VOIDED: Final = {"voided": True, "void_reason": _REASON["reason"]}


def _void(id_: str, shown: dict[str, Any], answer: Any) -> Described:
    return Described(at={"id": id_}, body=_REASON, answer=answer, shown={**shown, **_VOIDED})


STUDENTS: Final = {
    "students": {
        "GET": listed(MIKA_EXAMPLE),
        "POST": made(
            {**_ABOUT, "guardians": [{**_GUARDIAN, "relation": "mother"}]}, {**MIKA_EXAMPLE, "ranks": []}
        ),
    },
    "student": resource(_AT, MIKA_EXAMPLE, {"phone": "030 5678"}),
    "guardians": {"GET": listed(values.row(values.GUARDIAN, **_GUARDIAN))},
    "student-notes": {
        "GET": listed(NOTE_EXAMPLE, at=_OF),
        "POST": made({"text": NOTE_EXAMPLE["text"]}, NOTE_EXAMPLE, at=_OF),
    },
    "student-note": resource(
        {**_OF, "id": values.NOTE}, NOTE_EXAMPLE, {"text": "Both knees are well again."}
    ),
    "student-holds": {"GET": listed(HOLD_EXAMPLE, at=_OF), "POST": made(_HOLD_BODY, HOLD_EXAMPLE, at=_OF)},
    "student-hold": resource({**_OF, "id": values.HOLD}, HOLD_EXAMPLE, {"until": "2026-07-31"}),
    "student-facts": {"GET": listed(FACT_EXAMPLE, at=_OF), "POST": made(_FACT_BODY, FACT_EXAMPLE, at=_OF)},
    "fact-void": {"POST": _void(values.FACT, FACT_EXAMPLE, FactSerializer)},
    "student-rank-events": {
        "GET": listed(EVENT_EXAMPLE, at=_OF, answer=RankEventAnswerSerializer),
        "POST": made(_EVENT_BODY, EVENT_EXAMPLE, at=_OF, answer=RankEventAnswerSerializer),
    },
    "rank-events": {"GET": listed(EVENT_EXAMPLE, answer=RankEventAnswerSerializer)},
    "rank-event-void": {"POST": _void(values.RANK_EVENT, EVENT_EXAMPLE, RankEventAnswerSerializer)},
}
