"""Change the settings of the dojo."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.dispatch import Signal

from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import current_tenant
from tatami.tenancy.tenant_registry import tenant_registry
from tenant_apps.dojo.models import DojoSettings, NameOrder

name_order_changed: Final = Signal()
"""Sent in the transaction that changes the order of names in the dojo, with `order`.

Receivers update what is stored about students who have no order of their own. An exception in a receiver rolls the
change back.
"""

_LOCK_NAME_ORDER: Final = Statement("name_order", "SELECT name_order FROM dojo_dojosettings FOR KEY SHARE")


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
    order_before = settings.name_order
    for field, value in changes.items():
        setattr(settings, field, value)
    settings.save()
    if settings.name_order != order_before:
        name_order_changed.send(sender=DojoSettings, order=settings.name_order)
    return settings


def lock_name_order() -> NameOrder:
    """Return the order of names in the dojo, which then cannot change until commit. One statement.

    Call this before you lock students: a change of the order locks the settings first, then the students.
    """
    found = _LOCK_NAME_ORDER.row()
    if found is None:
        get_or_create_settings()
        found = _LOCK_NAME_ORDER.row()
    assert found is not None
    return NameOrder(found[0])


def publish_language(*, now: datetime, **_: Any) -> None:
    """Copy the language of the restored dojo to the platform's record, which knows only the default."""
    language = DojoSettings.current().language
    tenant = current_tenant()
    transaction.on_commit(lambda: tenant_registry().change_tenant(tenant, now=now, language=language))
