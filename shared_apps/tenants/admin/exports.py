"""Exports in the console: how far each is, and its archive."""

from typing import Any, Final

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from unfold.decorators import display

from shared_apps.accounts.console.read_only import ReadOnlyModelAdmin
from shared_apps.accounts.console.site import console
from shared_apps.tenants.exports.links import archive_path
from shared_apps.tenants.models import TenantExport
from tatami import clock

_COLOURS: Final = {
    TenantExport.Status.DONE: "success",
    TenantExport.Status.RUNNING: "info",
    TenantExport.Status.FAILED: "danger",
}


@admin.register(TenantExport, site=console)
class ExportTable(ReadOnlyModelAdmin):
    """What was exported and is still kept, the newest first. The links are good for a quarter of an hour."""

    list_display = ("tenant", "state", "rows", "size", "created_at", "expires_at", "archive")
    list_filter = ("status",)
    list_select_related = ("tenant",)
    search_fields = ("tenant__search_name", "tenant__slug")
    ordering = ("-created_at", "-id")
    fields = (
        ("tenant", "status"),
        ("rows", "size"),
        ("sha256", "archive"),
        ("error", "attempts"),
        ("created_at", "finished_at", "expires_at"),
    )
    readonly_fields = ("rows", "size", "archive")

    @display(description="Status", ordering="status", label=_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, export: TenantExport) -> str:
        """Return the status, in its colour."""
        return export.status

    @admin.display(description="Rows")
    def rows(self, export: TenantExport) -> str:
        """Return how far it is."""
        is_done = export.status == TenantExport.Status.DONE
        return f"{export.total:,}" if is_done else f"{export.done:,} of {export.total:,}"

    @admin.display(description="Size", ordering="bytes")
    def size(self, export: TenantExport) -> str | None:
        """Return the size in the unit that fits."""
        return None if export.bytes is None else filesizeformat(export.bytes)

    @admin.display(description="Archive")
    def archive(self, export: TenantExport) -> Any:
        """Return the link by which a browser fetches it."""
        path = archive_path(export, now=clock.now())
        return path and format_html('<a href="{}" class="text-primary-600 underline">Download</a>', path)
