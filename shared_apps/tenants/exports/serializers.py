"""The shape of an export."""

from rest_framework import serializers

from shared_apps.tenants.exports.links import archive_path
from shared_apps.tenants.models import TenantExport
from tatami.api.responses import location
from tatami.api.serializers import StrictModelSerializer


class ExportProgressSerializer(StrictModelSerializer):
    """Work that was queued; `url` tells how far it is, in rows."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = TenantExport
        fields: tuple[str, ...] = ("id", "status", "total", "done", "url")

    def get_url(self, export: TenantExport) -> str:
        return self._absolute(location("tenant-export", id=export.tenant_id, export_id=export.pk))

    def _absolute(self, path: str) -> str:
        return str(self.context["request"].build_absolute_uri(path))


class ExportSerializer(ExportProgressSerializer):
    """An export: how far it is, and when it is done, where its archive is."""

    bytes = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(help_text="Of the whole file; empty until it is done.")
    download_url = serializers.SerializerMethodField(
        help_text="Good for a quarter of an hour, without a login; null until it is done."
    )
    error = serializers.CharField()

    class Meta(ExportProgressSerializer.Meta):
        fields = (
            *ExportProgressSerializer.Meta.fields,
            "bytes",
            "sha256",
            "download_url",
            "error",
            "created_at",
            "finished_at",
            "expires_at",
        )

    def get_download_url(self, export: TenantExport) -> str | None:
        path = archive_path(export, now=self.context["request"].now)
        return None if path is None else self._absolute(path)
