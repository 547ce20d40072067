"""The settings of a dojo: one row. Name and time zone are stored on the platform's `Tenant`.

`services.get_or_create_settings` creates the row. Before that, `DojoSettings.current()` returns the defaults.
"""

from typing import Final, cast

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Value

from tatami.languages import available_languages
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.dates import Language as LanguageCode
from tenant_apps.dojo.dates import LeapDayBirthday

LONGEST_WINDOW_MINUTES: Final = 1440
"""The longest check-in window around the start of a session, so a scan looks at two days of sessions."""

LONGEST_ABSENCE_DAYS: Final = 365
"""Absence mails are sent after at most a year."""

DEFAULT_LANGUAGE: Final = "en"

LEAP_DAY_BIRTHDAYS: Final = [
    (LeapDayBirthday.MARCH_1.value, "March 1"),
    (LeapDayBirthday.FEBRUARY_28.value, "February 28"),
]


class Policy(models.TextChoices):
    """Whether check-in ignores or enforces a rule."""

    IGNORE = "ignore"
    ENFORCE = "enforce"


class CardPolicy(models.TextChoices):
    """Whether printed cards, which can be lent to others, are accepted at check-in."""

    ALLOW = "allow"
    FLAG = "flag"
    """Accepted; two uses at two devices within a minute are recorded among the refusals, and staff are informed."""
    FORBID = "forbid"


class ChineseCharacters(models.TextChoices):
    """The forms of Chinese characters on papers where the text does not suggest them. Names as in `pdf.typefaces`."""

    JAPANESE = "japanese"
    KOREAN = "korean"
    SIMPLIFIED = "simplified"
    TRADITIONAL = "traditional"


class NameOrder(models.TextChoices):
    """The order of the names of a person. It decides how a name is written and where it stands in lists."""

    GIVEN_FIRST = "given_first"
    FAMILY_FIRST = "family_first"


class DojoSettings(TenantModel):
    """The settings of the dojo. Minutes count from the start of a session. The id is the dojo's: at most one row."""

    id = models.UUIDField(primary_key=True, default=current_tenant_id, editable=False)
    language = models.CharField(max_length=8, choices=available_languages, default=DEFAULT_LANGUAGE)
    """The language of texts that people read: errors, messages, papers and mails. `Tenant.language` is a copy."""
    chinese_characters = models.CharField(
        max_length=16, choices=ChineseCharacters, blank=True, default="", db_default=""
    )
    """Empty: those of the country of the dojo's time zone, or else Japan's."""
    name_order = models.CharField(
        max_length=16,
        choices=NameOrder,
        default=NameOrder.GIVEN_FIRST,
        db_default=NameOrder.GIVEN_FIRST.value,
    )
    """The order of the names of students who have none of their own."""
    leap_day_birthday = models.CharField(
        max_length=8, choices=LEAP_DAY_BIRTHDAYS, default=LeapDayBirthday.MARCH_1.value
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
    """The name of the file in the storage; empty: no logo."""
    accent_color = models.CharField(max_length=7, blank=True, default="", db_default="")
    """The colour of buttons and links on pages, as `#rrggbb`; empty: Tatami's."""
    notify_promotion = models.BooleanField(default=True)
    notify_exam_invitation = models.BooleanField(default=True)
    notify_class_cancelled = models.BooleanField(default=True)
    award_policies = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    """What follows from awards of each kind of rank: kind → the fields that differ (see `award_policies`)."""
    absence_after_days = models.PositiveSmallIntegerField(null=True, blank=True)
    """A student gets a mail after this many days without attendance; null: no mails."""
    reply_to = models.EmailField(max_length=254, blank=True)
    """The address for replies to mails; empty: none."""
    certificate_number = models.CharField(max_length=60, blank=True, default="", db_default="")
    """How certificates are numbered (`NumberFormat`); empty: by their code."""
    certificate_title = models.CharField(max_length=80, blank=True, default="", db_default="")
    certificate_before_name = models.CharField(max_length=120, blank=True, default="", db_default="")
    certificate_before_rank = models.CharField(max_length=120, blank=True, default="", db_default="")
    """The dojo's own wording; empty: that of the language."""
    certificate_closing = models.CharField(max_length=200, blank=True, default="", db_default="")
    """A line below the rank; empty: none."""
    certificate_second_language = models.CharField(
        max_length=8, choices=available_languages, blank=True, default="", db_default=""
    )
    """The language of smaller lines below the wording; empty: none."""
    certificate_examiners = ArrayField(models.CharField(max_length=120), default=list, db_default=[])
    """Who signs certificates of ranks that were awarded without an exam that names its examiners."""

    @property
    def language_code(self) -> LanguageCode:
        """The language, typed for `tenant_apps.dojo.dates`."""
        return cast("LanguageCode", self.language)

    @property
    def second_language(self) -> LanguageCode | None:
        """The second language of certificates, if there is one and it is another than the first."""
        second = self.certificate_second_language
        return cast("LanguageCode", second) if second and second != self.language else None

    @classmethod
    def current(cls) -> "DojoSettings":
        """Return the settings of the dojo; if none are saved yet, the defaults as an unsaved row."""
        return cls.objects.first() or cls()
