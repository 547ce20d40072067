"""Devices, and how one is paired."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, silent
from tatami.api.openapi import Described
from tenant_apps.attendance.device_serializers import (
    DeviceSerializer,
    NewDeviceSerializer,
    PairedSerializer,
    PairingSerializer,
)


@extend_schema_serializer(component_name="Device")
class DeviceAnswerSerializer(DeviceSerializer):
    """A device; `last_seen` is exact to a minute, and null for one that never came."""

    last_seen = serializers.DateTimeField(allow_null=True)


class NewDeviceAnswerSerializer(serializers.Serializer[Any]):
    """A device that waits to be paired, with its code, which is shown only here."""

    id = serializers.UUIDField()
    pairing_code = serializers.CharField()
    expires_at = serializers.DateTimeField()


_DEVICE_BODY: Final = {"name": "Front door", "location": "Mat 1"}
_DEVICE: Final = values.row(
    values.DEVICE,
    **_DEVICE_BODY,
    last_seen=values.NOW,
    last_seq=42,
    paired=True,
    paired_at="2026-06-01T15:00:00Z",
    revoked=False,
    revoked_at=None,
)
_AT: Final = {"id": values.DEVICE}

DEVICES: Final = {
    "devices": {
        "GET": listed(_DEVICE, answer=DeviceAnswerSerializer),
        "POST": made(
            _DEVICE_BODY,
            {"id": values.DEVICE, "pairing_code": values.PAIRING_CODE, "expires_at": "2026-06-15T16:50:00Z"},
            takes=NewDeviceSerializer,
            answer=NewDeviceAnswerSerializer,
        ),
    },
    "device": {
        "GET": Described(at=_AT, answer=DeviceAnswerSerializer, shown=_DEVICE),
        "DELETE": silent(at=_AT),
    },
    "device-pairing": {
        "POST": made(
            {"code": values.PAIRING_CODE},
            {"device": {"id": values.DEVICE, **_DEVICE_BODY}, "access": values.DEVICE_TOKEN},
            takes=PairingSerializer,
            answer=PairedSerializer,
        )
    },
}
