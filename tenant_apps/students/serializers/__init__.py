"""The shape of students and what belongs to them."""

from tenant_apps.students.serializers.dates import PlausibleDate
from tenant_apps.students.serializers.hold import HoldSerializer
from tenant_apps.students.serializers.people import (
    GuardianRowSerializer,
    GuardianSerializer,
    HeldRankSerializer,
    StudentSerializer,
)
from tenant_apps.students.serializers.record import (
    MOST_VISITS,
    FactSerializer,
    NoteSerializer,
    RankEventSerializer,
    ReasonSerializer,
)
from tenant_apps.students.serializers.users import DojoMeSerializer, DojoUserSerializer

__all__ = [
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
    "RankEventSerializer",
    "ReasonSerializer",
    "StudentSerializer",
]
