"""Devices, and how one is paired."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec
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
_DEVICE: Final = examples.row(
    examples.DEVICE,
    **_DEVICE_BODY,
    last_seen=examples.NOW,
    last_seq=42,
    paired=True,
    paired_at="2026-06-01T15:00:00Z",
    revoked=False,
    revoked_at=None,
)
_AT: Final = {"id": examples.DEVICE}

DEVICES: Final = {
    "devices": {
        "GET": list_spec(_DEVICE, response=DeviceAnswerSerializer),
        "POST": create_spec(
            _DEVICE_BODY,
            {
                "id": examples.DEVICE,
                "pairing_code": examples.PAIRING_CODE,
                "expires_at": "2026-06-15T16:50:00Z",
            },
            request=NewDeviceSerializer,
            response=NewDeviceAnswerSerializer,
        ),
    },
    "device": {
        "GET": OperationSpec(path=_AT, response=DeviceAnswerSerializer, response_example=_DEVICE),
        "DELETE": no_content_spec(path=_AT),
    },
    "device-pairing": {
        "POST": create_spec(
            {"code": examples.PAIRING_CODE},
            {"device": {"id": examples.DEVICE, **_DEVICE_BODY}, "access": examples.DEVICE_TOKEN},
            request=PairingSerializer,
            response=PairedSerializer,
        )
    },
}
