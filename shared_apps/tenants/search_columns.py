"""Rewrite the stored search columns after a change of `tatami.text.normalise`."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from shared_apps.tenants.schema.versions import public_labels, tenant_labels
from tatami.model_fields import SearchField
from tatami.tenancy.scope import TenantScope, current_scope

_SET_BY_METHOD: Final = "search_name"
"""The column that `set_search_name` sets, unless it is a `SearchField`."""
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
        if model._meta.app_label in labels and _columns(model):
            yield model


def _columns(model: type[Model]) -> list[str]:
    """Return the search columns of a model."""
    fields = model._meta.concrete_fields
    return [field.name for field in fields if isinstance(field, SearchField) or field.name == _SET_BY_METHOD]


def _batches(model: type[Any]) -> Iterator[Any]:
    keys = list(model.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        yield model.objects.filter(pk__in=keys[start : start + _BATCH]).order_by("pk")


@transaction.atomic
def _refresh_batch(rows: Any) -> int:
    columns, changed = _columns(rows.model), []
    for row in rows.select_for_update(of=("self",)):
        before = [getattr(row, name) for name in columns]
        for name in columns:
            _set(row, name)
        if [getattr(row, name) for name in columns] != before:
            changed.append(row)
    if changed:
        rows.model.objects.bulk_update(changed, columns)
    return len(changed)


def _set(row: Model, name: str) -> None:
    column = row._meta.get_field(name)
    if isinstance(column, SearchField):
        column.pre_save(row, add=False)
    else:
        row.set_search_name()  # type: ignore[attr-defined]
