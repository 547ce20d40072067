"""Devices, attendances, cards, refused scans, and the stored responses to nonces."""

from datetime import datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.api.filters import start_of_day
from tatami.clock import tenant_date
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.check_in import types
from tenant_apps.classes.models import DEVICE_ROLE, ClassSession
from tenant_apps.students.models import Student, VoidableQuerySet


class Device(TenantModel):
    """A kiosk or scanner. As a caller it has the role `device`; it belongs to no user.

    A device is added with a pairing code, and is paired when it exchanges that code for a token. Only hashes are
    stored.
    """

    name = models.CharField(max_length=120)
    location = models.CharField(max_length=120, blank=True)
    pairing_hash = models.BinaryField(max_length=32)
    pairing_expires_at = models.DateTimeField()
    paired_at = models.DateTimeField(null=True)
    token_hash = models.BinaryField(max_length=32, null=True)
    last_seen_at = models.DateTimeField(null=True)
    last_seq = models.BigIntegerField(null=True)
    revoked_at = models.DateTimeField(null=True)

    role: ClassVar[str] = DEVICE_ROLE
    is_authenticated: ClassVar[bool] = True

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(fields=["pairing_hash"], name="device_pairing_once"),
            models.UniqueConstraint(fields=["token_hash"], name="device_token_once"),
        ]

    def __str__(self) -> str:
        return self.name


class AttendanceQuerySet(VoidableQuerySet["Attendance"]):
    """The attendances of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return those of the students that are linked with a user."""
        return self.filter(student__links__user=user)

    def recorded_by(self, user: User, now: datetime) -> Self:
        """Return those that `user` recorded on the dojo's local date of `now`: what an assistant may void."""
        zone, today = ZoneInfo(current_tenant().timezone), tenant_date(now)
        return self.filter(
            recorded_by=user,
            created_at__gte=start_of_day(today, zone),
            created_at__lt=start_of_day(today + timedelta(days=1), zone),
        )


class Attendance(TenantModel):
    """A student was at a session. It is never deleted; a wrong one is voided with a reason."""

    Method: ClassVar = types.Method

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="attendances", db_index=False)
    class_session = models.ForeignKey(ClassSession, on_delete=models.PROTECT, related_name="attendances")
    checked_in_at = models.DateTimeField()
    method = models.CharField(max_length=16, choices=Method)
    late = models.BooleanField(default=False)
    recorded_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    device = models.ForeignKey(Device, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    uploaded_late = models.BooleanField(default=False, db_default=False)
    """The scan was taken offline and uploaded after the end of the session. `late` is about the student's arrival."""
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    void_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[AttendanceQuerySet] = AttendanceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-checked_in_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["student", "class_session"],
                condition=Q(voided_at__isnull=True),
                name="attendance_once",
            ),
            models.CheckConstraint(
                condition=Q(recorded_by__isnull=True) | Q(device__isnull=True), name="attendance_one_recorder"
            ),
        ]
        indexes = [
            models.Index(fields=["student", "-checked_in_at"], name="attendance_of_student"),
            models.Index(fields=["-checked_in_at", "-id"], name="attendance_by_time"),
        ]


class Card(TenantModel):
    """A printed code. The code holds a random id and nothing else. A student has one valid card at a time."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="cards")
    code = models.BinaryField(max_length=16, editable=False)
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    used_by = models.UUIDField(null=True)
    """When, and by which device or user, the card was last scanned. Set only if the dojo flags shared cards."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="card_code_once"),
            models.UniqueConstraint(
                fields=["student"], condition=Q(revoked_at__isnull=True), name="card_one_valid"
            ),
        ]


class Refusal(TenantModel):
    """A valid code whose scan was refused, and why. `card_shared` is a note about a scan that was recorded.

    Refusals are listed and deleted by `created_at`, the instant they arrived. By `scanned_at`, a wrong clock would hide
    them or keep them for ever.
    """

    code = models.CharField(max_length=40)
    student = models.ForeignKey(Student, null=True, on_delete=models.CASCADE, related_name="refusals")
    class_session = models.ForeignKey(
        ClassSession, null=True, on_delete=models.CASCADE, related_name="refusals"
    )
    scanned_at = models.DateTimeField()
    """The instant of the scan by the device's clock, which may be wrong."""
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    device = models.ForeignKey(Device, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(recorded_by__isnull=True) | Q(device__isnull=True), name="refusal_one_recorder"
            )
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="refusal_by_arrival"),
            models.Index(
                fields=["-scanned_at", "-id"], name="refusal_by_time"
            ),  # used by the previous version
        ]


class ScanAnswer(TenantModel):
    """The first response to a nonce. It is replayed, whatever has changed since."""

    caller = models.UUIDField()
    nonce = models.CharField(max_length=100)
    token_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = models.BinaryField(default=b"")
    student = models.UUIDField(null=True)
    """The student in the response; an erasure deletes such rows. No foreign key, because that would slow down scans."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "nonce"], name="scan_answer_once")]
        indexes = [models.Index(fields=["created_at"], name="scan_answer_age")]
