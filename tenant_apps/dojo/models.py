"""The dojo's settings: one row, made when first changed. Name and time zone stand on the platform's Tenant."""

from typing import Final, cast

from django.db import models

from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.words import Language as Tongue

LONGEST_WINDOW_MINUTES: Final = 1440
"""No check-in window reaches further from a session's start, so a scan looks at two days of sessions."""

LONGEST_ABSENCE_DAYS: Final = 365
"""After more than a year nobody is missed."""


class LeapDayBirthday(models.TextChoices):
    """On which day a child of 29 February comes of age in a common year (convention C3)."""

    MARCH_1 = "mar1"
    FEBRUARY_28 = "feb28"


class Policy(models.TextChoices):
    """What happens at check-in when a rule is not met: nothing, or a refusal."""

    IGNORE = "ignore"
    ENFORCE = "enforce"


class CardPolicy(models.TextChoices):
    """Whether printed cards, which can be lent, are taken at check-in."""

    ALLOW = "allow"
    FLAG = "flag"
    """Taken; two uses at two devices within a minute are noted among the refusals, and told to staff."""
    FORBID = "forbid"


class Language(models.TextChoices):
    """The language of messages and mails."""

    ENGLISH = "en"
    PORTUGUESE = "pt-br"


class DojoSettings(TenantModel):
    """What a dojo decided. Minutes count from a session's start. Its id is the dojo's, so there is one row at most."""

    id = models.UUIDField(primary_key=True, default=current_tenant_id, editable=False)
    language = models.CharField(max_length=8, choices=Language, default=Language.ENGLISH)
    leap_day_birthday = models.CharField(
        max_length=8, choices=LeapDayBirthday, default=LeapDayBirthday.MARCH_1
    )
    card_policy = models.CharField(max_length=8, choices=CardPolicy, default=CardPolicy.ALLOW)
    enrolment_policy = models.CharField(max_length=8, choices=Policy, default=Policy.IGNORE)
    rank_policy = models.CharField(max_length=8, choices=Policy, default=Policy.IGNORE)
    capacity_policy = models.CharField(max_length=8, choices=Policy, default=Policy.IGNORE)
    opens_minutes_before = models.PositiveSmallIntegerField(default=30)
    closes_minutes_after = models.PositiveSmallIntegerField(default=60)
    late_after_minutes = models.PositiveSmallIntegerField(default=10)
    terms = models.TextField(blank=True, max_length=20_000)
    logo = models.CharField(max_length=200, blank=True)
    """The file's name in the storage."""
    notify_promotion = models.BooleanField(default=True)
    notify_exam_invitation = models.BooleanField(default=True)
    notify_class_cancelled = models.BooleanField(default=True)
    absence_after_days = models.PositiveSmallIntegerField(null=True, blank=True)
    """After so many days without a visit a student is written to; null: nobody is."""
    reply_to = models.EmailField(max_length=254, blank=True)
    """Where answers to mails go; empty: nowhere."""

    @property
    def tongue(self) -> Tongue:
        """The language, as `tenant_apps.dojo.words` names it."""
        return cast("Tongue", self.language)

    @classmethod
    def current(cls) -> "DojoSettings":
        """Return the dojo's settings, or the defaults where none was changed yet (an unsaved row)."""
        return cls.objects.first() or cls()
