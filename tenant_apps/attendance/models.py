"""Attendance, the refusals beside it, cards, devices, and what a nonce was answered."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.attendance.devices import Device
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student

__all__ = ["Attendance", "Card", "Device", "Refusal", "ScanAnswer"]


class AttendanceQuerySet(models.QuerySet["Attendance"]):
    """The attendance of the dojo."""

    def standing(self) -> Self:
        """Return what was not voided."""
        return self.filter(voided_at__isnull=True)

    def belonging_to(self, user: User) -> Self:
        """Return that of the students a user speaks for."""
        return self.filter(student__links__user=user)


class Attendance(TenantModel):
    """A student was at a session. Never deleted: voided with a reason."""

    class Method(models.TextChoices):
        QR_ROTATING = "qr_rotating"
        QR_CARD = "qr_card"
        SESSION_CODE = "session_code"
        MANUAL = "manual"
        IMPORT = "import"

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
    """The scan was taken offline and reached us when the session was over."""
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
    """A printed code. Its random id is all that the code says; one card of a student is valid at a time."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="cards")
    code = models.BinaryField(max_length=16, editable=False)
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    used_by = models.UUIDField(null=True)
    """When and by which device or user it was last scanned; kept only where the dojo flags cards that are shared."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="card_code_once"),
            models.UniqueConstraint(
                fields=["student"], condition=Q(revoked_at__isnull=True), name="card_one_valid"
            ),
        ]


class Refusal(TenantModel):
    """A well-formed scan that was not recorded, and why. `card_shared` is a note beside one that was.

    Listed and swept by `created_at`, when it reached us: a clock that is wrong would hide it, or keep it for ever.
    """

    code = models.CharField(max_length=40)
    student = models.ForeignKey(Student, null=True, on_delete=models.CASCADE, related_name="refusals")
    class_session = models.ForeignKey(
        ClassSession, null=True, on_delete=models.CASCADE, related_name="refusals"
    )
    scanned_at = models.DateTimeField()
    """When the device claims that it was taken."""
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
            models.Index(fields=["-scanned_at", "-id"], name="refusal_by_time"),  # of the version before
        ]


class ScanAnswer(TenantModel):
    """The first answer to a nonce. Replayed whatever has changed since."""

    PENDING: ClassVar[int] = 0
    """The status within the transaction that will answer; no other transaction ever sees it."""

    caller = models.UUIDField()
    nonce = models.CharField(max_length=100)
    token_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = models.BinaryField(default=b"")
    student = models.UUIDField(null=True)
    """Whom the answer names: an erasure deletes it. No foreign key: a scan need not pay for one."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "nonce"], name="scan_answer_once")]
        indexes = [models.Index(fields=["created_at"], name="scan_answer_age")]
