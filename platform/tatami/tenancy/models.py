"""What every row of a dojo has: an id no other dojo uses, and the id of its dojo."""

from datetime import datetime
from typing import ClassVar, Self, TypeVar

from django.db import models

from tatami import clock
from tatami.fields import ChangedAtField
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id

M = TypeVar("M", bound=models.Model)


class TenantModel(models.Model):
    """A row that belongs to one dojo.

    `tenant_id` is set from the scope in force. The schema's seal adds a constant DEFAULT, a CHECK on the same
    constant and a row-level policy, so an object made in dojo A and saved in dojo B is refused by PostgreSQL.
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
    """Rows that are archived rather than deleted."""

    def live(self) -> Self:
        """Return those in use."""
        return self.filter(archived_at__isnull=True)


class Archivable(TenantModel):
    """A row whose DELETE archives it, so that history keeps its names."""

    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    ARCHIVABLE: ClassVar[bool] = True

    class Meta:
        abstract = True

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    def archive(self, *, now: datetime) -> None:
        """Put the row away; twice changes nothing."""
        if self.archived_at is None:
            self.archived_at = now
            self.save(update_fields=["archived_at", "updated_at"])

    def restore(self) -> None:
        """Bring the row back into use; twice changes nothing."""
        if self.archived_at is not None:
            self.archived_at = None
            self.save(update_fields=["archived_at", "updated_at"])
