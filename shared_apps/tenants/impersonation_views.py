"""Acting as a dojo's user, for superadmins."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.tenants.impersonation import impersonate
from shared_apps.tenants.models import Tenant
from tatami.api.fields import SingleLineField
from tatami.api.request import client_address
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView, get_or_404


class NewImpersonationSerializer(StrictSerializer):
    """Why, and as whom: an id of the dojo's, by default its first active admin."""

    reason = SingleLineField(max_length=500)
    user = serializers.UUIDField(required=False)


class ImpersonationSerializer(StrictSerializer):
    """An access token that is good at `url` for `expires_in` seconds."""

    access = serializers.CharField()
    expires_in = serializers.IntegerField()
    url = serializers.URLField()


class Impersonations(ApiView):
    """Act as a user of a dojo for fifteen minutes. The dojo's audit says so, too."""

    atomic = False
    idempotent = False
    audits_reason = True
    serializer_class = NewImpersonationSerializer
    answer_class = ImpersonationSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = NewImpersonationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        opened = impersonate(
            tenant_id=get_or_404(Tenant.objects.all(), pk=id).pk,
            superadmin=request.user,
            session_id=request.auth.session_id,
            reason=serializer.validated_data["reason"],
            user_id=serializer.validated_data.get("user"),
            address=client_address(request),
            now=request.now,
        )
        return Response(ImpersonationSerializer(opened).data, status=201)
