"""The audit of the platform, in the console."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shared_apps.accounts.console.pages import ShownTable
from shared_apps.accounts.console.site import console
from shared_apps.accounts.models import AuditEntry


@admin.register(AuditEntry, site=console)
class AuditTable(ShownTable):
    """Who changed what, why and from where; newest first."""

    list_display = ("created_at", "who", "action", "object", "reason", "address")
    list_filter = ("created_at", "action")
    search_fields = ("actor_called", "reason", "request_id", "object")
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
        """Return the deeds, with what their actors are called now."""
        return super().get_queryset(request).with_actors()

    @admin.display(description="actor", ordering="actor_called")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_called
