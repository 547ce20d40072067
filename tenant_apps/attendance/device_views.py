"""Devices: adding, listing and revoking them, and pairing, which a device does by itself."""

from typing import Any

from rest_framework.response import Response

from tatami.api.request import client_address
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail
from tenant_apps.attendance import devices, pairing
from tenant_apps.attendance.device_serializers import (
    DeviceSerializer,
    NewDeviceSerializer,
    PairedSerializer,
    PairingSerializer,
)
from tenant_apps.attendance.models import Device


class DeviceCollection(Collection):
    """The devices of the dojo, revoked ones too. A new one is answered with a code that is shown only here."""

    idempotent = False
    queryset = Device.objects.all()
    serializer_class = DeviceSerializer
    detail_route = "device"
    ordering_fields = {"name": "name", "created_at": "created_at", "last_seen": "last_seen_at"}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewDeviceSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        device, code = pairing.add_device(**serializer.validated_data, now=request.now)
        answer = {"id": device.pk, "pairing_code": code, "expires_at": device.pairing_expires_at}
        return created(answer, "device", id=device.pk)


class DeviceDetail(Detail):
    """One device; DELETE revokes it, and its next request is refused."""

    idempotent = False
    queryset = Device.objects.all()
    serializer_class = DeviceSerializer

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        devices.revoke(device=self.get_object(), now=request.now)
        return Response(status=204)


class Pairing(ApiView):
    """Exchange a pairing code for the token of a device. Nobody is logged in; attempts are counted."""

    atomic = False
    idempotent = False
    serializer_class = PairingSerializer
    answer_class = PairedSerializer

    def post(self, request: Any) -> Response:
        serializer = PairingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        device, token = pairing.pair(
            **serializer.validated_data, address=client_address(request), now=request.now
        )
        answer = PairedSerializer({"device": device, "access": token}).data
        return created(answer, "device", id=device.pk)
