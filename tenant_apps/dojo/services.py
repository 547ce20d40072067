"""Change the settings of the dojo."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from tenant_apps.dojo.models import DojoSettings


def get_or_create_settings() -> DojoSettings:
    """Return the settings of the dojo, and save the defaults on first use. Concurrent calls create one row."""
    settings = DojoSettings.objects.first()
    if settings is None:
        DojoSettings.objects.bulk_create([DojoSettings()], ignore_conflicts=True)
        settings = DojoSettings.objects.get()
    return settings


@transaction.atomic
def change_settings(*, changes: Mapping[str, Any]) -> DojoSettings:
    """Change the settings of the dojo. Concurrent changes of different settings are both kept."""
    get_or_create_settings()
    settings = DojoSettings.objects.select_for_update().get()
    for field, value in changes.items():
        setattr(settings, field, value)
    settings.save()
    return settings
