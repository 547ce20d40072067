"""The audit of the platform, in the console."""

from django.contrib import admin

from shared_apps.accounts.console.pages import ShownTable
from shared_apps.accounts.console.site import console
from shared_apps.accounts.models import AuditEntry


@admin.register(AuditEntry, site=console)
class AuditTable(ShownTable):
    """Who changed what, why and from where; newest first."""

    list_display = ("created_at", "actor_name", "action", "object", "reason", "address")
    list_filter = ("created_at", "action")
    search_fields = ("actor_name", "reason", "request_id", "object")
    ordering = ("-created_at", "-id")
    fields = (
        "created_at",
        "actor_name",
        "actor",
        "action",
        "object",
        "fields",
        "reason",
        "address",
        "request_id",
    )
