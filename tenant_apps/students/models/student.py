"""Students, their guardians, the users linked with them, and their holds (breaks from training)."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, Exists, F, Func, OuterRef, Q, TextField, Value, When

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.clock import tenant_date
from tatami.model_fields import SearchField
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.text import normalise
from tenant_apps.dojo.models import NameOrder
from tenant_apps.students.models.names import full_name, name_key, search_names

_SEARCHED: Final = Func(
    "search_name",
    "preferred_search",
    template="(%(expressions)s)",
    arg_joiner=" || ' ' || ",
    output_field=TextField(),
)


class Status(models.TextChoices):
    """The status of a student. `on_hold` is never stored: it follows from the holds."""

    TRIAL = "trial"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    INACTIVE = "inactive"


STORED_STATUSES = (Status.TRIAL, Status.ACTIVE, Status.INACTIVE)


class StudentQuerySet(ArchivableQuerySet["Student"]):
    """The students of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return the students linked with a user: the user as a student, or their children."""
        return self.filter(links__user=user)

    def locked(self) -> Self:
        """Lock the rows in the order of their keys. Writers call this first (see `tenant_apps.students.queries`).

        Rows that only refer to students, such as attendances, can still be added meanwhile.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)

    def with_status(self, on: date) -> Self:
        """Annotate `shown_status` as of a local date: the stored status, or `on_hold` during a hold."""
        return self.annotate(shown_status=status_on(on))

    def named(self, names: Iterable[tuple[str, str]]) -> Self:
        """Return those with one of the names (first name, last name), in any order. Compare `name_key` with them."""
        return self.filter(search_name__in=search_names(names))

    def searchable(self) -> Self:
        """Add the alias `searched`, in which `?search=` looks: the name in its order, and the preferred name."""
        return self.alias(searched=_SEARCHED)

    def namesakes(self, first_name: str, last_name: str, *, born_on: date | None) -> list["Student"]:
        """Return the students who may be the person of this name, archived ones included. One statement.

        They have this name, in either order, or are called so (`preferred_name`). Two known birth dates that differ are
        two people.
        """
        wanted = {name_key(first_name, last_name), name_key(last_name, first_name)}
        called = Q(preferred_search=normalise(first_name)) & ~Q(preferred_search="")
        rows = self.filter(Q(search_name__in=wanted) | called)
        if born_on is not None:
            rows = rows.filter(Q(birth_date__isnull=True) | Q(birth_date=born_on))
        return [row for row in rows.order_by("pk") if wanted & row.name_keys]

    def promotable(self, on: date | None = None) -> Self:
        """Return the students that a check covers by default: active on a local date (default: today in the dojo)."""
        return self.not_archived().alias(today=status_on(on or tenant_date())).filter(today=Status.ACTIVE)


class StudentManager(models.Manager.from_queryset(StudentQuerySet)):  # type: ignore[misc]
    """Excludes erased students. Foreign keys still lead to their blank rows, so that counts stay correct."""

    def get_queryset(self) -> StudentQuerySet:
        found: StudentQuerySet = super().get_queryset().filter(erased_at__isnull=True)
        return found


class Student(Archivable):
    """A person who trains in the dojo."""

    Status: ClassVar = Status

    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100, blank=True)
    """Empty for a person who has one name."""
    preferred_name = models.CharField(max_length=100, blank=True, default="", db_default="")
    """What the person is called. It is found by searches and shown at check-in; papers print the full name."""
    preferred_search = SearchField("preferred_name", db_default="")
    name_order = models.CharField(max_length=16, choices=NameOrder, null=True, blank=True)
    """The order of this person's names; null: the dojo's."""
    family_first = models.BooleanField(default=False, db_default=False, editable=False)
    """The order in force: that of the student, else that of the dojo (see `tenant_apps.students.name_order`)."""
    search_name = models.TextField(editable=False)
    """The full name in the order in force, without accents and case. Lists are ordered by it."""
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=40, blank=True)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.label) for s in STORED_STATUSES], default="active"
    )
    """The status that the dojo set. For the status on a day, use `with_status(on=…)`."""
    joined_on = models.DateField(null=True, blank=True)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    licence_number = models.CharField(max_length=60, blank=True, default="", db_default="")
    """The number of this person at the federation (licence, membership, passport), on papers that go there."""
    medical_notes = models.TextField(blank=True, max_length=5_000)
    check_in_id = models.BinaryField(max_length=16, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)
    merged_into = models.ForeignKey(
        "self", null=True, on_delete=models.RESTRICT, related_name="+", db_index=False, editable=False
    )
    """The record of the same person that this one was merged into. This one is blank, as if erased."""

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

    def archive(self, *, now: datetime) -> None:
        if not self.is_archived:
            super().archive(now=now)
            publish("student.archived", [{"id": self.pk}], now=now)

    def restore(self) -> None:
        if self.is_archived:
            super().restore()
            publish("student.restored", [{"id": self.pk}])

    @property
    def name(self) -> str:
        """The full name in the order in force."""
        return full_name(
            self.first_name, self.last_name, self.family_first, is_erased=self.erased_at is not None
        )

    @property
    def name_key(self) -> str:
        """The name for comparison: first name, then last name, whatever the order in force."""
        return name_key(self.first_name, self.last_name)

    @property
    def name_keys(self) -> set[str]:
        """The names for comparison that this person goes by: the full name, and that with the preferred name."""
        called = {name_key(self.preferred_name, self.last_name)} if self.preferred_name else set()
        return {self.name_key, *called}

    def set_name_order(self, dojo: str) -> None:
        """Set the order in force, with `dojo` as the order of the dojo, and the column that depends on it."""
        self.family_first = (self.name_order or dojo) == NameOrder.FAMILY_FIRST
        self.set_search_name()

    def set_search_name(self) -> None:
        """Set the column for searches and orders: the name without accents and case."""
        self.search_name = normalise(self.name)


class StudentUserQuerySet(models.QuerySet["StudentUser"]):
    """The links between users and students."""

    def student_ids_of(self, user: User | None, *, among: Iterable[UUID] | None = None) -> frozenset[UUID]:
        """Return the ids of the students that a user is linked with; with `among`, only of these. One statement.

        Users must not change the ranks of these students (`OwnRankChange`). No user has no students.
        """
        links = self.filter(user=user) if among is None else self.filter(user=user, student__in=among)
        return frozenset(links.values_list("student_id", flat=True))


class StudentUser(TenantModel):
    """A user linked with a student: the student's own login, or that of a parent of several students."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="links")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="student_links")

    objects: ClassVar[StudentUserQuerySet] = StudentUserQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "student"], name="student_user_once")]


class GuardianQuerySet(models.QuerySet["Guardian"]):
    """The guardians of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return the guardians of the students linked with a user."""
        links = StudentGuardian.objects.filter(student__links__user=user)
        return self.filter(pk__in=links.values("guardian"))


class Guardian(TenantModel):
    """An adult who is responsible for one or more underage students."""

    name = models.CharField(max_length=200)
    search_name = models.TextField(editable=False)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)

    objects: ClassVar[GuardianQuerySet] = GuardianQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("search_name", "id")

    def set_search_name(self) -> None:
        """Set the column for `?search=`."""
        self.search_name = normalise(self.name)


class StudentGuardian(TenantModel):
    """A guardian of a student, with their relation (mother, grandfather, …)."""

    student = models.ForeignKey("students.Student", on_delete=models.CASCADE, related_name="guardian_links")
    # Links are deleted first; the database refuses to delete a guardian who still has a student.
    guardian = models.ForeignKey(Guardian, on_delete=models.DO_NOTHING, related_name="student_links")
    relation = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["student", "guardian"], name="student_guardian_once")]


class StudentHoldQuerySet(models.QuerySet["StudentHold"]):
    """The holds of the dojo."""

    def covering(self, day: date | OuterRef) -> Self:
        """Return the holds in force on a local date, or on the one of an outer query."""
        return self.filter(Q(until__isnull=True) | Q(until__gte=day), starts_on__lte=day)

    def overlapping(self, starts_on: date, until: date | None) -> Self:
        """Return the holds that share a day with a period; `until` None: without an end."""
        rows = self.filter(Q(until__isnull=True) | Q(until__gte=starts_on))
        return rows if until is None else rows.filter(starts_on__lte=until)


class StudentHold(TenantModel):
    """A break from training (an injury, a semester abroad), both days included; without `until` it has no end.

    The holds of a student do not overlap. An exclusion constraint would need btree_gist, which is not visible in the
    schema of a dojo. Instead, `tenant_apps.students.history` locks the row of the student before it checks.
    """

    student = models.ForeignKey(
        "students.Student", on_delete=models.CASCADE, related_name="holds", db_index=False
    )
    starts_on = models.DateField()
    until = models.DateField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[StudentHoldQuerySet] = StudentHoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-starts_on", "-id")
        constraints = [
            models.UniqueConstraint(fields=["student", "starts_on"], name="student_hold_once"),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("starts_on")), name="student_hold_ends_later"
            ),
        ]


def status_on(day: date, student: str = "") -> Case:
    """Return the status of a student on a local date, as an expression for annotations and filters.

    `student` is the lookup from the row to the student: `status_on(day, "student__")` for a card. Inactive students
    stay inactive; all others are on hold while a hold is in force.
    """
    held = StudentHold.objects.covering(day).filter(student=OuterRef(f"{student}pk"))
    here = Q(**{f"{student}status__in": [Status.TRIAL, Status.ACTIVE]})
    return Case(
        When(here & Q(Exists(held)), then=Value(Status.ON_HOLD.value)),
        default=F(f"{student}status"),
        output_field=models.CharField(),
    )
