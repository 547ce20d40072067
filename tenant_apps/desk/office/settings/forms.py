"""The forms of the dojo's settings, one for each tab."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from tatami.languages import available_languages
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.settings.award_policies import PoliciesField

_IGNORE_OR_ENFORCE: Final = [
    ("ignore", gettext_lazy("Let them in")),
    ("enforce", gettext_lazy("Refuse the scan")),
]


class DojoForm(ApiForm):
    """Name, language and clock."""

    name = forms.CharField(label=gettext_lazy("Name of the dojo"), max_length=200)
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        help_text=gettext_lazy("Such as Europe/Berlin or America/Sao_Paulo."),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=available_languages)
    name_order = forms.ChoiceField(
        label=gettext_lazy("Order of names"),
        choices=[
            ("given_first", gettext_lazy("Given name first")),
            ("family_first", gettext_lazy("Family name first")),
        ],
    )
    leap_day_birthday = forms.ChoiceField(
        label=gettext_lazy("Birthday of people born on 29 February"),
        choices=[("mar1", gettext_lazy("1 March")), ("feb28", gettext_lazy("28 February"))],
    )
    terms = forms.CharField(
        label=gettext_lazy("Terms"), required=False, strip=False, widget=forms.Textarea({"rows": 6})
    )


class CheckInForm(ApiForm):
    """When check-in is open, and which rules it enforces."""

    opens_minutes_before = forms.IntegerField(
        label=gettext_lazy("Check-in opens so many minutes before the start")
    )
    closes_minutes_after = forms.IntegerField(label=gettext_lazy("… and closes so many minutes after it"))
    late_after_minutes = forms.IntegerField(label=gettext_lazy("Late after so many minutes"))
    enrolment_policy = forms.ChoiceField(
        label=gettext_lazy("Students who are not enrolled"), choices=_IGNORE_OR_ENFORCE
    )
    rank_policy = forms.ChoiceField(
        label=gettext_lazy("Students below the rank of the class"), choices=_IGNORE_OR_ENFORCE
    )
    capacity_policy = forms.ChoiceField(
        label=gettext_lazy("When the class is full"), choices=_IGNORE_OR_ENFORCE
    )
    card_policy = forms.ChoiceField(
        label=gettext_lazy("Printed cards"),
        choices=[
            ("allow", gettext_lazy("Accept them")),
            ("flag", gettext_lazy("Accept them, and note when one is used twice within a minute")),
            ("forbid", gettext_lazy("Refuse them")),
        ],
    )


class MailForm(ApiForm):
    """Which events cause a mail."""

    notify_promotion = forms.BooleanField(
        label=gettext_lazy("Promotions, with the certificate"), required=False
    )
    notify_exam_invitation = forms.BooleanField(label=gettext_lazy("Invitations to exams"), required=False)
    notify_class_cancelled = forms.BooleanField(
        label=gettext_lazy("Sessions that are cancelled, and days on which the dojo is closed"),
        required=False,
    )
    absence_after_days = forms.IntegerField(
        label=gettext_lazy("Ask after students who have not come for so many days"),
        required=False,
        help_text=gettext_lazy("Empty: never. Days on which the dojo was closed do not count."),
    )
    reply_to = forms.EmailField(label=gettext_lazy("Address for replies"), required=False, max_length=254)


class CertificateForm(ApiForm):
    """What awards bring with them, and how certificates are numbered and worded."""

    award_policies = PoliciesField(
        label=gettext_lazy("What an award brings with it"),
        required=False,
        help_text=gettext_lazy(
            "Mails also need promotions to be ticked on the tab Mail. Without its exam, a rank is awarded only with a "
            "reason."
        ),
    )
    certificate_number = forms.CharField(
        label=gettext_lazy("Numbers"),
        required=False,
        help_text=gettext_lazy("Such as KITA-{year}-{number:4}. Empty: certificates have a code alone."),
    )
    certificate_title = forms.CharField(label=gettext_lazy("Title"), required=False, max_length=80)
    certificate_before_name = forms.CharField(
        label=gettext_lazy("Before the name"), required=False, max_length=120
    )
    certificate_before_rank = forms.CharField(
        label=gettext_lazy("Before the rank"), required=False, max_length=120
    )
    certificate_closing = forms.CharField(
        label=gettext_lazy("Below the rank"), required=False, max_length=200
    )
    certificate_second_language = forms.ChoiceField(
        label=gettext_lazy("Second language"),
        required=False,
        choices=lambda: [("", gettext_lazy("None")), *available_languages()],
    )
    certificate_examiners = forms.CharField(
        label=gettext_lazy("Who signs, one name per line"), required=False, widget=forms.Textarea({"rows": 3})
    )
    chinese_characters = forms.ChoiceField(
        label=gettext_lazy("Form of Chinese characters on papers"),
        required=False,
        choices=[
            ("", gettext_lazy("As in the country of the time zone")),
            ("japanese", gettext_lazy("Japanese")),
            ("korean", gettext_lazy("Korean")),
            ("simplified", gettext_lazy("Simplified Chinese")),
            ("traditional", gettext_lazy("Traditional Chinese")),
        ],
        help_text=gettext_lazy("Used where the text itself does not tell."),
    )

    def body(self) -> dict[str, Any]:
        found = super().body()
        if found["award_policies"] is None:
            del found["award_policies"]
        lines = found["certificate_examiners"].splitlines()
        return {**found, "certificate_examiners": [line.strip() for line in lines if line.strip()]}


TABS: Final[dict[str, tuple[Any, type[ApiForm]]]] = {
    "dojo": (gettext_lazy("Dojo"), DojoForm),
    "check-in": (gettext_lazy("Check-in"), CheckInForm),
    "mail": (gettext_lazy("Mail"), MailForm),
    "certificates": (gettext_lazy("Certificates"), CertificateForm),
}
"""The tabs that change `/settings`: the name in the address → label and form."""
