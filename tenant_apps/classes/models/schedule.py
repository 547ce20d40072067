"""Classes of the weekly schedule, closures, the sessions made from classes, and calendar feeds."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from shared_apps.accounts.models import User
from tatami.clock import tenant_date
from tatami.model_fields import SearchField
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tenant_apps.classes.check_in_window import WINDOW_COLUMNS, open_at
from tenant_apps.ranks.models import Discipline, Rank

DEVICE_ROLE: Final = "device"
"""The role of a kiosk or scanner in the table of access rules."""
_NEAR: Final = timedelta(days=2)


class CheckInWindowFields(models.Model):
    """When check-in opens and closes and from when it is late, in minutes from the start; null: the dojo's setting."""

    opens_minutes_before = models.PositiveSmallIntegerField(null=True)
    closes_minutes_after = models.PositiveSmallIntegerField(null=True)
    late_after_minutes = models.PositiveSmallIntegerField(null=True)

    class Meta:
        abstract = True


class TrainingClass(Archivable, CheckInWindowFields):
    """A class of the weekly schedule. `recurrence` is the document of `RecurrenceSerializer`, in local time."""

    name = models.CharField(max_length=120)
    search_name = SearchField("name", "class_type", "location")
    class_type = models.CharField(max_length=60, blank=True)
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="classes")
    location = models.CharField(max_length=120, blank=True)
    recurrence = models.JSONField()
    capacity = models.PositiveIntegerField(null=True)
    min_rank = models.ForeignKey(Rank, null=True, on_delete=models.PROTECT, related_name="+")
    counts_toward_promotion = models.BooleanField(default=True)
    expected_attendance = models.JSONField(default=dict)
    materialised_until = models.DateField(null=True)
    """Sessions exist up to and including this local date."""
    materialised_zone = models.CharField(max_length=64, blank=True)
    """The time zone of those sessions. If the dojo's zone differs by now, future sessions are generated again."""

    instructors = models.ManyToManyField(User, through="ClassInstructor", related_name="classes")

    objects: ClassVar = ArchivableQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class ClassInstructor(TenantModel):
    """An instructor of a class."""

    training_class = models.ForeignKey(
        TrainingClass, on_delete=models.CASCADE, related_name="instructor_links"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training_class", "user"], name="class_instructor_once")
        ]


class ClosureQuerySet(models.QuerySet["Closure"]):
    """The closures of the dojo."""

    def overlapping(self, first: Any, last: Any) -> Self:
        """Return those that share a day with the local dates from `first` to `last`."""
        return self.filter(starts_on__lte=last, until__gte=first)

    def of_the_dojo(self) -> Self:
        """Return those of the whole dojo, not of some classes."""
        return self.filter(class_links__isnull=True)


class Closure(TenantModel):
    """Days on which no session takes place, both included: of the whole dojo, or only of the classes that are named.

    Its sessions are cancelled, those that exist and those that are made later: see `tenant_apps.classes.closures`.
    """

    starts_on = models.DateField()
    until = models.DateField()
    reason = models.CharField(max_length=500, blank=True)
    closed_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    classes = models.ManyToManyField(TrainingClass, through="ClosedClass", related_name="closures")

    objects: ClassVar[ClosureQuerySet] = ClosureQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-starts_on", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(until__gte=F("starts_on")), name="closure_ends_later")
        ]
        indexes = [models.Index(fields=["until"], name="closure_by_end")]


class ClosedClass(TenantModel):
    """A class that a closure is about."""

    closure = models.ForeignKey(Closure, on_delete=models.CASCADE, related_name="class_links", db_index=False)
    training_class = models.ForeignKey(TrainingClass, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["closure", "training_class"], name="closed_class_once")
        ]


class ClassSessionQuerySet(models.QuerySet["ClassSession"]):
    """The sessions of the dojo."""

    def between(self, first: date, last: date) -> Self:
        """Return those on the local dates from `first` to `last`, both included."""
        return self.filter(local_date__gte=first, local_date__lte=last)

    def as_planned(self) -> Self:
        """Return those that were neither cancelled by hand nor moved (see `ClassSession.is_as_planned`)."""
        planned = Q(status=ClassSession.Status.SCHEDULED) | Q(closure__isnull=False)
        return self.filter(planned).exclude(set_by_hand__contains=["starts_at"])

    # `attendances` is the related name of `Attendance.class_session`: this app may not import the attendance app.
    def with_attendance(self) -> Self:
        """Return those with at least one attendance, voided or not."""
        return self.filter(attendances__isnull=False)

    def that_were_attended(self) -> Self:
        """Return those with at least one attendance that is not voided. A session may be there several times."""
        return self.filter(attendances__isnull=False, attendances__voided_at__isnull=True)

    def without_attendance(self) -> Self:
        """Return those without any attendance."""
        return self.exclude(attendances__isnull=False)

    def current(self, now: Any, *, today: Any, last: Any) -> Self:
        """Return the sessions on the local dates from `today` to `last`, and those of the day before or after that are
        running at `now`, or whose check-in is open then. `today` is the local date of `now`.
        """
        on_these_days = Q(local_date__gte=today, local_date__lte=last)
        is_running = Q(starts_at__lte=now, ends_at__gt=now)
        # The bounds on the start are for the index. A day, a session, and each side of a check-in window last at most
        # some 25 hours.
        is_near = Q(starts_at__lte=now + _NEAR)
        return self.alias(**WINDOW_COLUMNS).filter(
            on_these_days | (is_near & (is_running | open_at(now))), starts_at__gte=now - _NEAR
        )

    def visible_to(self, role: str | None, *, now: datetime) -> Self:
        """Return those that a role may see at `now`."""
        return self.visible_at(now, today=tenant_date(now), to_device=role == DEVICE_ROLE)

    def visible_at(self, now: Any, *, today: Any, to_device: bool) -> Self:
        """Return those that a caller may see at `now`: a device the current ones, every other role all.

        `today` is the local date of `now`. Both may be parameters of a compiled query.
        """
        return self.current(now, today=today, last=today) if to_device else self


class ClassSession(TenantModel, CheckInWindowFields):
    """One session. It keeps the values that its class had when it was made.

    A session that was generated from a recurrence fills a slot: a date and a time of day on the dojo's wall clock. The
    slot does not change if the session is moved, cancelled or generated again in another time zone, so it is never
    filled twice.
    """

    class Status(models.TextChoices):
        SCHEDULED = "scheduled"
        CANCELLED = "cancelled"

    training_class = models.ForeignKey(
        TrainingClass, null=True, on_delete=models.PROTECT, related_name="sessions"
    )
    slot_date = models.DateField(null=True)
    slot_time = models.TimeField(null=True)
    set_by_hand = ArrayField(models.CharField(max_length=40), default=list)
    """The fields that were set for this session alone. A change of the class does not overwrite them. If `status` is
    among them, the session takes place although a closure covers it.
    """
    name = models.CharField(max_length=120)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    local_date = models.DateField()
    status = models.CharField(max_length=16, choices=Status, default=Status.SCHEDULED)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    cancel_reason = models.CharField(max_length=500, blank=True)
    closure = models.ForeignKey(
        Closure, null=True, on_delete=models.SET_NULL, related_name="sessions", db_index=False
    )
    """The closure that cancelled the session; null if it was cancelled individually."""
    class_type = models.CharField(max_length=60, blank=True)
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="+")
    location = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=500, blank=True)
    capacity = models.PositiveIntegerField(null=True)
    min_rank = models.ForeignKey(Rank, null=True, on_delete=models.PROTECT, related_name="+")
    counts_toward_promotion = models.BooleanField(default=True)
    instructor_ids = ArrayField(models.UUIDField(), default=list)
    """The instructors, copied from the class so that past sessions keep theirs. Users are never deleted."""

    objects: ClassVar[ClassSessionQuerySet] = ClassSessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("starts_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["training_class", "slot_date", "slot_time"], name="class_session_slot_once"
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="class_session_ends_later"),
        ]
        indexes = [
            models.Index(fields=["local_date", "starts_at"], name="class_session_by_date"),
            models.Index(fields=["starts_at", "id"], name="class_session_by_start"),
            models.Index(
                fields=["closure"], condition=Q(closure__isnull=False), name="class_session_of_closure"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at

    @property
    def is_cancelled(self) -> bool:
        return self.status == self.Status.CANCELLED

    @property
    def is_as_planned(self) -> bool:
        """Whether it was neither moved nor cancelled by hand. It is then deleted with its slot, if no one attended."""
        is_planned = not self.is_cancelled or self.closure_id is not None
        return is_planned and "starts_at" not in self.set_by_hand

    @property
    def cancellation(self) -> "ClassSession | None":
        """Return this session if it is cancelled: its cancellation is stored in columns of its own."""
        return self if self.is_cancelled else None

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now

    def reinstate(self) -> None:
        """Undo the cancellation, unsaved."""
        self.status = self.Status.SCHEDULED
        self.cancelled_at, self.cancelled_by, self.cancel_reason, self.closure = None, None, "", None

    def set_times(self, starts_at: datetime, duration: timedelta) -> None:
        """Set start, end and local date, unsaved."""
        self.starts_at, self.ends_at = starts_at, starts_at + duration
        self.local_date = tenant_date(starts_at)


class CalendarFeedQuerySet(models.QuerySet["CalendarFeed"]):
    """The calendar feeds of the dojo."""

    def of_inactive_users(self) -> Self:
        """Return those of users who may no longer sign in."""
        return self.exclude(user__in=User.objects.active())


class CalendarFeed(TenantModel):
    """The calendar feed of a user. Holds the hash of its token; the token is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    token_hash = models.BinaryField(max_length=32)

    objects: ClassVar[CalendarFeedQuerySet] = CalendarFeedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], name="calendar_feed_one_each"),
            models.UniqueConstraint(fields=["token_hash"], name="calendar_feed_token_once"),
        ]
