"""A student, and the users who speak for her."""

from datetime import date
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.text import normalise
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.models.hold import STORED_STATUSES, Status, status_on

ERASED_NAME = "Erased student"


class StudentQuerySet(ArchivableQuerySet["Student"]):
    """The students of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return the students a user speaks for: himself, or his children."""
        return self.filter(links__user=user)

    def locked(self) -> Self:
        """Return them with their rows locked, in key order: whoever writes something down about them does this first.

        What only refers to them (an attendance) is still recorded meanwhile. See `tenant_apps.students.locking`.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)

    def with_status(self, on: date) -> Self:
        """Give each its `shown_status` on a local date: the stored one, or `on_hold` while a hold is in force."""
        return self.annotate(shown_status=status_on(on))

    def promotable(self, on: date | None = None) -> Self:
        """Return those whom a check without names is about: active on a local date (default: the dojo's today)."""
        return self.live().alias(today=status_on(on or dojo_today())).filter(today=Status.ACTIVE)


class StudentManager(models.Manager.from_queryset(StudentQuerySet)):  # type: ignore[misc]
    """Sees nobody who was erased. A foreign key still leads to the blank row, so that counts stay."""

    def get_queryset(self) -> StudentQuerySet:
        found: StudentQuerySet = super().get_queryset().filter(erased_at__isnull=True)
        return found


class Student(Archivable):
    """Somebody who trains here."""

    Status: ClassVar = Status

    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    search_name = models.TextField(editable=False)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=40, blank=True)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.label) for s in STORED_STATUSES], default="active"
    )
    """As the dojo set it. What holds today is `with_status(on=…)`."""
    joined_on = models.DateField(null=True, blank=True)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    medical_notes = models.TextField(blank=True, max_length=5_000)
    check_in_id = models.BinaryField(max_length=16, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    users = models.ManyToManyField(User, through="StudentUser", related_name="students")

    objects: ClassVar[StudentManager] = StudentManager()

    class Meta:
        ordering = ("search_name", "id")
        constraints = [
            models.UniqueConstraint(fields=["check_in_id"], name="student_check_in_id_once"),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=Q(external_id__isnull=False),
                name="student_external_id_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["trial", "active", "inactive"]), name="student_status_stored"
            ),
        ]
        indexes = [models.Index(fields=["search_name", "id"], name="student_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return the full name as people say it here."""
        return ERASED_NAME if self.erased_at else f"{self.first_name} {self.last_name}".strip()

    def set_search_name(self) -> None:
        """Keep what `?search=` compares with: the name without regard to accents and case."""
        self.search_name = normalise(self.name)


class StudentUser(TenantModel):
    """A user speaks for a student: the student herself, or a parent of several."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="links")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="student_links")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "student"], name="student_user_once")]
