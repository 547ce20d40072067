"""How much the dojo checks in."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Q

from tatami.usage import Figures
from tenant_apps.attendance.models import Attendance

RECENTLY: Final = timedelta(days=30)


def count_attendances(now: datetime) -> Figures:
    """Count the attendances that stand, those of the last thirty days apart; say when the last was. One statement."""
    recent = Q(checked_in_at__gt=now - RECENTLY)
    return Attendance.objects.standing().aggregate(
        attendances_all=Count("pk"),
        attendances_30_days=Count("pk", filter=recent),
        last_attendance_at=Max("checked_in_at"),
    )
