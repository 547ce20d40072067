"""Changing what the dojo decided."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from tenant_apps.dojo.models import DojoSettings


def settings_row() -> DojoSettings:
    """Return the dojo's settings, kept from the first time on; once even if two ask at the same time."""
    kept = DojoSettings.objects.first()
    if kept is None:
        DojoSettings.objects.bulk_create([DojoSettings()], ignore_conflicts=True)
        kept = DojoSettings.objects.get()
    return kept


@transaction.atomic
def change_settings(*, changes: Mapping[str, Any]) -> DojoSettings:
    """Change the dojo's settings. Two changes at once of different settings both last."""
    settings_row()
    settings = DojoSettings.objects.select_for_update().get()
    for field, value in changes.items():
        setattr(settings, field, value)
    settings.save()
    return settings
