"""Batches, decisions, certificates and exams."""

import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Self, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Exists, OuterRef, Q, Value

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel, count_by_state
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.certificate_numbers import LONGEST_NUMBER
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.ranks.models import Rank, RankRules, RankSystem
from tenant_apps.ranks.student_facts import comparable_name
from tenant_apps.students.models import RankEvent, Student

M = TypeVar("M", bound=models.Model)


class BatchQuerySet(models.QuerySet["Batch"]):
    """The batches of the dojo."""

    def unfinished(self) -> Self:
        """Return the batches that have not ended (see `Batch.has_ended`), the oldest first."""
        ended = Q(finished_at__isnull=False) | Q(cancelled_at__isnull=False) | Q(reverted_at__isnull=False)
        return self.exclude(ended).order_by("created_at", "id")


class Batch(TenantModel):
    """A check or an award for many students. Workers process its items in chunks."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        REVERTED = "reverted"

    award = models.BooleanField()
    as_of = models.DateField()
    rank_system = models.ForeignKey(
        RankSystem, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    target_ranks = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    """The ids of the target ranks; an empty list means all ranks."""
    requested_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    reverted_at = models.DateTimeField(null=True)
    revert_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[BatchQuerySet] = BatchQuerySet.as_manager()  # type: ignore[assignment]

    counts: dict[str, int]
    """How many items are in each state; set by `count_items`."""

    class Meta:
        ordering = ("-created_at", "-id")

    @property
    def has_ended(self) -> bool:
        """Return whether no item will be processed any more. `BatchQuerySet.unfinished` is the same rule in SQL."""
        return bool(self.finished_at or self.cancelled_at or self.reverted_at)

    @property
    def total(self) -> int:
        """Return the number of items."""
        return sum(self.counts.values())

    @property
    def status(self) -> str:
        """Return the status that the API shows. Needs `counts`."""
        if not self.has_ended:
            if current_tenant().status != "active":
                return self.Status.PAUSED
            return self.Status.RUNNING if self.started_at else self.Status.QUEUED
        if self.reverted_at:
            return self.Status.REVERTED
        if self.cancelled_at:
            return self.Status.CANCELLED
        failed = self.counts[BatchItem.State.FAILED]
        return self.Status.FAILED if failed and failed == self.total else self.Status.DONE


class BatchItem(TenantModel):
    """One student of a batch."""

    class State(models.TextChoices):
        QUEUED = "queued"
        CHECKED = "checked"
        AWARDED = "awarded"
        REFUSED = "refused"
        FAILED = "failed"
        CANCELLED = "cancelled"
        REVERTED = "reverted"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items", db_index=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    answers = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    """The check results, in the shape of `eligibility_data`."""
    error = models.JSONField(null=True)
    """Code and message of the error, if the check results do not explain why no rank was awarded."""

    class Meta:
        ordering = ("batch_id", "id")
        constraints = [models.UniqueConstraint(fields=["batch", "student"], name="batch_item_once")]
        indexes = [
            models.Index(fields=["batch", "student"], condition=Q(state="queued"), name="batch_item_queued")
        ]


def count_items(batches: Iterable[Batch]) -> None:
    """Set `counts` of each batch. One statement. Items are counted at every call, so the numbers always add up."""
    rows = list(batches)
    numbers = count_by_state(BatchItem.objects.all(), "batch", rows, BatchItem.State)
    for row in rows:
        row.counts = numbers[row.pk]


class AwardRowQuerySet(models.QuerySet[M]):
    """Rows that belong to a rank event."""

    def belonging_to(self, user: User) -> Self:
        """Return the rows of the students that a user is linked with."""
        return self.filter(event__student__links__user=user)

    def not_erased(self) -> Self:
        """Return the rows of students who were not erased."""
        return self.filter(event__student__erased_at__isnull=True)


class Decision(TenantModel):
    """Why a rank was awarded: what the rules said then, and the reason if they were overridden. Never recomputed."""

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT, UPDATE"

    event = models.OneToOneField(RankEvent, on_delete=models.CASCADE, related_name="decision")
    rules = models.ForeignKey(RankRules, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=16, choices=[(one.value, one.name) for one in Eligibility])
    path = models.CharField(max_length=200, null=True)
    criteria = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    override_reason = models.CharField(max_length=500, blank=True)
    batch_item = models.ForeignKey(BatchItem, null=True, on_delete=models.SET_NULL, related_name="decisions")

    objects: ClassVar[AwardRowQuerySet["Decision"]] = AwardRowQuerySet.as_manager()  # type: ignore[assignment]

    @property
    def is_voided(self) -> bool:
        """Return whether the award was voided."""
        return self.event.voided_at is not None


_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's Base32 alphabet: no letter looks like a digit."""

_GROUPS, _GROUP_LENGTH = 4, 4


def new_code() -> str:
    """Return 80 random bits as people read them out: `7KQ2-M9XR-4T1B-0ZVD`."""
    groups = ("".join(secrets.choice(_CODE_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


class Certificate(TenantModel):
    """The certificate of an award. Its code leads to its check and contains no information about the student."""

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT"

    event = models.OneToOneField(RankEvent, on_delete=models.CASCADE, related_name="certificate")
    code = models.CharField(max_length=40, default=new_code)

    objects: ClassVar[AwardRowQuerySet["Certificate"]] = AwardRowQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code"], name="certificate_code_once")]

    @property
    def number(self) -> str:
        """Return the number on the paper: by the dojo's scheme when it was issued, else the code."""
        numbering = getattr(self, "numbering", None)
        return numbering.text if numbering else self.code


class CertificateNumber(TenantModel):
    """The number of a certificate by the scheme of the dojo. Numbers of a series count from 1, without gaps."""

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT"

    certificate = models.OneToOneField(Certificate, on_delete=models.CASCADE, related_name="numbering")
    series = models.CharField(max_length=LONGEST_NUMBER)
    """See `NumberFormat.series`."""
    running = models.PositiveIntegerField()
    text = models.CharField(max_length=LONGEST_NUMBER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "running"], name="certificate_running_number_once"),
            models.UniqueConstraint(fields=["text"], name="certificate_number_once"),
        ]


class ExamQuerySet(models.QuerySet["Exam"]):
    """The exams of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return the exams in which a student that a user is linked with is a candidate."""
        return self.filter(Exists(Candidate.objects.filter(exam=OuterRef("pk"), student__links__user=user)))


class Exam(TenantModel):
    """A grading exam in one rank system. Finishing it awards the ranks that its candidates passed, as of its date."""

    name = models.CharField(max_length=120)
    date = models.DateField()
    rank_system = models.ForeignKey(RankSystem, on_delete=models.PROTECT, related_name="+", db_index=False)
    location = models.CharField(max_length=120, blank=True)
    examiner_ids = ArrayField(models.UUIDField(), default=list)
    """Users of the dojo."""
    guest_examiners = ArrayField(models.CharField(max_length=120), default=list)
    """Names of examiners from outside the dojo."""
    licences = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    """The licences with which the examiners examine: id of the user, or name of the guest → licence."""
    finished_at = models.DateTimeField(null=True)
    finished_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    reopened_at = models.DateTimeField(null=True)
    reopen_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[ExamQuerySet] = ExamQuerySet.as_manager()  # type: ignore[assignment]

    examined_by: list[User]
    """The examiners who are users; set by `attach_examiners`."""
    rank_events: list[RankEvent]
    """What finishing the exam awarded; set by the view that finishes it."""

    class Meta:
        ordering = ("-date", "-id")

    @property
    def examiner_names(self) -> list[str]:
        """Return the names of all examiners, guests last. Needs `examined_by`."""
        return [*(user.name for user in self.examined_by), *self.guest_examiners]

    def count_examiners(self, licence: str | None) -> int:
        """Return the number of examiners; with `licence`, of those who have it (compared as names of facts are)."""
        examiners = [*map(str, self.examiner_ids), *self.guest_examiners]
        if licence is None:
            return len(examiners)
        wanted = comparable_name(licence)
        return sum(comparable_name(self.licences.get(one, "")) == wanted for one in examiners)


def attach_examiners(exams: Iterable[Exam]) -> None:
    """Set `examined_by` of each exam, in the order in which the examiners were named. One statement."""
    rows = list(exams)
    users = User.objects.in_bulk({user for exam in rows for user in exam.examiner_ids}) if rows else {}
    for exam in rows:
        exam.examined_by = [users[user] for user in exam.examiner_ids if user in users]


class CandidateQuerySet(models.QuerySet["Candidate"]):
    """The candidates of exams."""

    def belonging_to(self, user: User) -> Self:
        """Return the candidates that a user is linked with."""
        return self.filter(student__links__user=user)

    def not_erased(self) -> Self:
        """Return the candidates who were not erased."""
        return self.filter(student__erased_at__isnull=True)


class Candidate(TenantModel):
    """A student who is examined for a rank, and the outcome."""

    class Outcome(models.TextChoices):
        PASSED = "passed"
        FAILED = "failed"
        ABSENT = "absent"

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="candidates", db_index=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Rank, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    override_reason = models.CharField(max_length=500, blank=True)
    event = models.OneToOneField(RankEvent, null=True, on_delete=models.SET_NULL, related_name="candidate")
    """The award, while the exam is finished."""
    marks = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    """Technique → mark."""
    condition = models.CharField(max_length=500, blank=True, default="", db_default="")
    """What a candidate who passed has to do before the rank is awarded; empty: nothing."""
    condition_until = models.DateField(null=True)
    condition_met_on = models.DateField(null=True)
    invited = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    """The check result and the warnings as they stood at the invitation, in the shape of `JudgedEligibility`."""
    decided = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    """The same as it stood when the exam was finished: the exam is decided by it, and shown from it."""

    objects: ClassVar[CandidateQuerySet] = CandidateQuerySet.as_manager()  # type: ignore[assignment]

    shown: dict[str, Any]
    """`decided`, or the same as it stands now; set by `exams.attach_eligibility`."""

    @property
    def is_conditional(self) -> bool:
        """Return whether the candidate passed on a condition that is not met yet."""
        return self.condition_until is not None and self.condition_met_on is None

    class Meta:
        ordering = ("student__search_name", "id")
        constraints = [
            models.UniqueConstraint(fields=["exam", "student"], name="candidate_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["", "passed", "failed", "absent"]), name="candidate_outcome_known"
            ),
        ]
