"""The shape of students and what belongs to them."""

from tenant_apps.students.serializers.dates import PlausibleDate
from tenant_apps.students.serializers.fact_values import (
    EXPIRES_EARLY,
    MOST_VISITS,
    PointsInCategory,
    value_field,
)
from tenant_apps.students.serializers.hold import HoldSerializer
from tenant_apps.students.serializers.people import (
    GuardianRowSerializer,
    GuardianSerializer,
    HeldRankSerializer,
    StudentSerializer,
)
from tenant_apps.students.serializers.record import (
    FactSerializer,
    NoteSerializer,
    RankEventSerializer,
    ReasonSerializer,
)
from tenant_apps.students.serializers.users import DojoMeSerializer, DojoUserSerializer

__all__ = [
    "EXPIRES_EARLY",
    "MOST_VISITS",
    "DojoMeSerializer",
    "DojoUserSerializer",
    "FactSerializer",
    "GuardianRowSerializer",
    "GuardianSerializer",
    "HeldRankSerializer",
    "HoldSerializer",
    "NoteSerializer",
    "PlausibleDate",
    "PointsInCategory",
    "RankEventSerializer",
    "ReasonSerializer",
    "StudentSerializer",
    "value_field",
]
