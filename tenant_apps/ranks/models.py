"""Disciplines, rank systems, their ranks and the versions of their rules."""

from datetime import date
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q

from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel


class Discipline(Archivable):
    """A martial art that the dojo teaches. It may have several rank systems, or none."""

    name = models.CharField(max_length=100)

    objects: ClassVar = ArchivableQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(archived_at__isnull=True), name="discipline_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class RankSystem(Archivable):
    """A ladder of ranks in a discipline, as a federation or the dojo defines it."""

    name = models.CharField(max_length=100)
    discipline = models.ForeignKey(
        Discipline, null=True, on_delete=models.PROTECT, related_name="rank_systems"
    )
    preset = models.CharField(max_length=60, blank=True)

    objects: ClassVar = ArchivableQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(archived_at__isnull=True), name="rank_system_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


SYSTEM_IN_USE: Final = Q(system__archived_at__isnull=True)
"""The condition for rows with a `system` that is in use: not archived."""


class RankQuerySet(models.QuerySet["Rank"]):
    """The ranks of all rank systems."""

    def in_use(self) -> Self:
        """Return the ranks of the systems in use, each with its system, in the same statement."""
        return self.select_related("system").filter(SYSTEM_IN_USE)


class Rank(TenantModel):
    """A belt, a kyu, a dan, a title. `position` grows with seniority, from 0.

    The row matches the latest version of the rules, even if that version is not in force yet.
    """

    system = models.ForeignKey(RankSystem, on_delete=models.CASCADE, related_name="ranks")
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    native_name = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=16)
    track = models.CharField(max_length=40, blank=True, default="", db_default="")
    position = models.PositiveSmallIntegerField()
    colours = models.JSONField(default=list)

    objects: ClassVar[RankQuerySet] = RankQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("system_id", "position")
        constraints = [
            models.UniqueConstraint(fields=["system", "code"], name="rank_code_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RankRulesQuerySet(models.QuerySet["RankRules"]):
    """Versions of rules."""

    def in_force(self, on: date) -> "RankRulesQuerySet":
        """Return for each system the latest version in force on a local date.

        Version 1 is in force until another version is, whatever its date, so a system always has rules.
        """
        by_then = Q(effective_on__isnull=True) | Q(effective_on__lte=on)
        return self.filter(by_then | Q(version=1)).order_by("system_id", "-version").distinct("system_id")


class RankRules(TenantModel):
    """One version of the rules of a system: a definition document. Rows are never changed."""

    system = models.ForeignKey(RankSystem, on_delete=models.CASCADE, related_name="rules")
    version = models.PositiveIntegerField()
    document = models.JSONField()
    # Copied from the document, so that PostgreSQL can compare it. Null: in force on any date.
    effective_on = models.DateField(null=True)

    objects: ClassVar = RankRulesQuerySet.as_manager()

    class Meta:
        ordering = ("system_id", "-version")
        constraints = [models.UniqueConstraint(fields=["system", "version"], name="rank_rules_version_once")]
