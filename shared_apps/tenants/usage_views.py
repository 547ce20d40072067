"""What a dojo uses, for superadmins."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.tenants import usage
from shared_apps.tenants.models import Tenant, TenantUsage
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView, get_or_404


class StudentsUsageSerializer(StrictSerializer):
    """`all` counts archived students, too."""

    active = serializers.IntegerField(source="students_active", allow_null=True)
    all = serializers.IntegerField(source="students_all", allow_null=True)


class AttendancesUsageSerializer(StrictSerializer):
    """Attendances that stand."""

    last_30_days = serializers.IntegerField(source="attendances_30_days", allow_null=True)
    all = serializers.IntegerField(source="attendances_all", allow_null=True)


class UsageSerializer(StrictSerializer):
    """What was counted last, in the night of the dojo; `collected_at` is null before the first time."""

    students = StudentsUsageSerializer(source="*")
    attendances = AttendancesUsageSerializer(source="*")
    last_attendance_at = serializers.DateTimeField(allow_null=True)
    users = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True, help_text="In the database: tables and indexes.")
    file_bytes = serializers.IntegerField(allow_null=True, help_text="In storage: the exports that are kept.")
    collected_at = serializers.DateTimeField(allow_null=True)


class TenantUsageResource(ApiView):
    """What a dojo uses, as it was last counted."""

    serializer_class = UsageSerializer
    answer_class = UsageSerializer

    def get(self, request: Any, id: Any) -> Response:
        counted: TenantUsage = usage.usage_of(get_or_404(Tenant.objects.all(), pk=id))
        return Response(UsageSerializer(counted).data)
