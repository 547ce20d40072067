"""Changing what the dojo decided."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from tenant_apps.dojo.models import DojoSettings


@transaction.atomic
def change_settings(*, changes: Mapping[str, Any]) -> DojoSettings:
    """Change the dojo's settings; the row is made when it is first needed, once even if two begin."""
    settings = DojoSettings.objects.select_for_update().first()
    if settings is None:
        try:
            with transaction.atomic():
                DojoSettings.objects.create()
        except IntegrityError:
            pass  # a twin made the row just now: constraint dojo_settings_one_row
        settings = DojoSettings.objects.select_for_update().get()
    for field, value in changes.items():
        setattr(settings, field, value)
    settings.save()
    return settings
