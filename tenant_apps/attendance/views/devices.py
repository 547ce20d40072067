"""Devices: add, list and revoke them; and pairing, which a device requests itself."""

from typing import Any

from rest_framework.response import Response

from tatami.api.request import client_address
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail
from tenant_apps.attendance import openapi
from tenant_apps.attendance.devices import add_device, pair_device, revoke_device
from tenant_apps.attendance.models import Device
from tenant_apps.attendance.serializers import (
    DeviceSerializer,
    NewDeviceSerializer,
    PairedSerializer,
    PairingSerializer,
    UnpairedDeviceSerializer,
)


class DeviceCollection(Collection):
    """The devices of the dojo, also those that are revoked. POST adds one and shows its pairing code once."""

    operations = openapi.DEVICES
    idempotent = False
    queryset = Device.objects.all()
    serializer_class = DeviceSerializer
    detail_route = "device"
    ordering_fields = {"name": "name", "created_at": "created_at", "last_seen": "last_seen_at"}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewDeviceSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        device, code = add_device(**serializer.validated_data, now=request.now)
        device.pairing_code = code  # type: ignore[attr-defined]
        return created(UnpairedDeviceSerializer(device).data, "device", id=device.pk)


class DeviceDetail(Detail):
    """One device. DELETE revokes it: its next request is refused."""

    operations = openapi.DEVICE
    idempotent = False
    queryset = Device.objects.all()
    serializer_class = DeviceSerializer

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        revoke_device(device=self.get_object(), now=request.now)
        return Response(status=204)


class Pairing(ApiView):
    """Exchange a pairing code for the token of a device. No login is needed; attempts are limited."""

    operations = openapi.PAIRING
    atomic = False
    idempotent = False
    max_body_bytes = 16 * 1024  # no token is needed, so the body must cost little
    serializer_class = PairingSerializer

    def post(self, request: Any) -> Response:
        serializer = PairingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        device, token = pair_device(
            **serializer.validated_data, address=client_address(request), now=request.now
        )
        data = PairedSerializer({"device": device, "access": token}).data
        return created(data, "device", id=device.pk)
