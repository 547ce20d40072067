"""Base classes of a dojo's models, and counts of rows by state."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from django.db import models

from tatami import clock
from tatami.ids import uuid7
from tatami.model_fields import ChangedAtField
from tatami.tenancy.scope import current_tenant_id

M = TypeVar("M", bound=models.Model)


class TenantModel(models.Model):
    """A row of one dojo. Its id is unique over all dojos.

    `tenant_id` is set from the current scope. The schema's seal adds a constant DEFAULT, a CHECK on the same constant
    and a row-level policy. PostgreSQL therefore refuses an object that is created in dojo A and saved in dojo B.
    """

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT, UPDATE, DELETE"
    """What the app login may do with rows of this table."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=current_tenant_id, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = ChangedAtField(default=clock.now, editable=False)

    class Meta:
        abstract = True


class ArchivableQuerySet(models.QuerySet[M]):
    """Rows that are archived instead of deleted."""

    def not_archived(self) -> Self:
        """Return rows that are not archived."""
        return self.filter(archived_at__isnull=True)


class Archivable(TenantModel):
    """A row that the API's DELETE archives, so that older records keep its name."""

    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    ARCHIVABLE: ClassVar[bool] = True

    class Meta:
        abstract = True

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    def archive(self, *, now: datetime) -> None:
        """Archive the row. Archiving twice changes nothing."""
        if self.archived_at is None:
            self.archived_at = now
            self.save(update_fields=["archived_at", "updated_at"])

    def restore(self) -> None:
        """Restore the row. Restoring twice changes nothing."""
        if self.archived_at is not None:
            self.archived_at = None
            self.save(update_fields=["archived_at", "updated_at"])


def count_by_state(
    children: models.QuerySet[Any], foreign_key: str, parents: Iterable[Any], states: type[models.Choices]
) -> dict[Any, dict[str, int]]:
    """Return, by primary key of each parent, how many of its children are in each state. One statement.

    `foreign_key` names the field of a child that refers to its parent. States without children count 0.
    """
    counts = {parent.pk: dict.fromkeys(states.values, 0) for parent in parents}
    grouped = children.filter(**{f"{foreign_key}__in": list(counts)}).order_by().values(foreign_key, "state")
    for group in grouped.annotate(number=models.Count("pk")):
        counts[group[foreign_key]][group["state"]] = group["number"]
    return counts
