"""The platform's audit log in the console."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shared_apps.accounts.console.read_only import ReadOnlyModelAdmin
from shared_apps.accounts.console.site import console
from shared_apps.accounts.models import AuditEntry


@admin.register(AuditEntry, site=console)
class AuditEntryAdmin(ReadOnlyModelAdmin):
    """Who changed what, why and from where; newest first."""

    list_display = ("created_at", "who", "action", "object", "reason", "address")
    list_filter = ("created_at", "action")
    search_fields = ("current_actor_name", "reason", "request_id", "object")
    ordering = ("-created_at", "-id")
    readonly_fields = ("who",)
    fields = (
        "created_at",
        "who",
        "actor",
        "action",
        "object",
        "fields",
        "reason",
        "address",
        "request_id",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the entries with the present names of their actors."""
        return super().get_queryset(request).with_actors()

    @admin.display(description="actor", ordering="current_actor_name")
    def who(self, entry: AuditEntry) -> str:
        return entry.current_actor_name
