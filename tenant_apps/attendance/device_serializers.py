"""The shape of devices and their pairing."""

from rest_framework import serializers

from tatami.api.fields import SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.attendance.models import Device


class NewDeviceSerializer(StrictSerializer):
    """A device that is to be paired. `location` is compared with that of class sessions."""

    name = SingleLineField(max_length=120)
    location = SingleLineField(max_length=120, required=False, allow_blank=True, default="")


class DeviceSerializer(StrictModelSerializer):
    """A device, as admins see it. `last_seen` is exact to a minute."""

    last_seen = serializers.DateTimeField(source="last_seen_at", read_only=True)
    paired = serializers.SerializerMethodField()
    revoked = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = ("name", "location", "last_seen", "last_seq", "paired", "paired_at", "revoked", "revoked_at")

    def get_paired(self, device: Device) -> bool:
        return device.paired_at is not None

    def get_revoked(self, device: Device) -> bool:
        return device.revoked_at is not None


class PairingSerializer(StrictSerializer):
    """The code that the device's owner typed in: case and separators do not matter."""

    code = SingleLineField(max_length=40)


class PairedDeviceSerializer(StrictSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    location = serializers.CharField()


class PairedSerializer(StrictSerializer):
    """What a pairing answers, once: the bearer token of the device."""

    device = PairedDeviceSerializer()
    access = serializers.CharField()
