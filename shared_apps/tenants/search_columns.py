"""Rewrite the stored search columns after a change of `tatami.text.normalise`."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import transaction
from django.db.models import Model

from shared_apps.tenants.schema.versions import public_labels, tenant_labels
from tatami.model_fields import SearchField
from tatami.tenancy.scope import TenantScope, current_scope

_COLUMN: Final = "search_name"
_BATCH: Final = 2_000


def refresh_search_columns() -> int:
    """Rewrite the search columns of the current scope that differ; return the number of rows changed.

    Two statements and a transaction of its own for each 2,000 rows, which are locked meanwhile. Running it again, or at
    the same time, changes nothing more; after a kill, run it again.
    """
    return sum(_refresh_batch(rows) for model in _models() for rows in _batches(model))


def _models() -> Iterator[type[Any]]:
    labels = tenant_labels() if isinstance(current_scope(), TenantScope) else public_labels()
    for model in apps.get_models():
        try:
            model._meta.get_field(_COLUMN)
        except FieldDoesNotExist:
            continue
        if model._meta.app_label in labels:
            yield model


def _batches(model: type[Any]) -> Iterator[Any]:
    keys = list(model.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        yield model.objects.filter(pk__in=keys[start : start + _BATCH]).order_by("pk")


@transaction.atomic
def _refresh_batch(rows: Any) -> int:
    changed = []
    for row in rows.select_for_update(of=("self",)):
        before = row.search_name
        _set(row)
        if row.search_name != before:
            changed.append(row)
    if changed:
        rows.model.objects.bulk_update(changed, [_COLUMN])
    return len(changed)


def _set(row: Model) -> None:
    column = row._meta.get_field(_COLUMN)
    if isinstance(column, SearchField):
        column.pre_save(row, add=False)
    else:
        row.set_search_name()  # type: ignore[attr-defined]
