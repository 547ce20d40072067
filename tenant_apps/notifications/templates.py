"""Which text each kind of notification has, the variables it may use, and rendering it for one delivery.

A dojo may save its own text for each kind and language. Otherwise the default text of the app is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from tatami.errors import Invalid
from tatami.tenancy.scope import current_tenant
from tatami.text import one_line
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.liquid import InvalidTemplate, render, validate
from tenant_apps.notifications.models import NotificationKind, NotificationTemplate

MAX_SUBJECT_LENGTH: Final = 200

COMMON_VARIABLES: Final = ("dojo", "recipient", "student", "students")
"""Variables of every kind: the dojo, the recipient, the students' names in one line, and the list of students."""

SAMPLE_FIELDS: Final[Mapping[NotificationKind, Mapping[str, str]]] = {
    NotificationKind.PROMOTION: {
        "rank": gettext_noop("4th kyu"),
        "rank_system": gettext_noop("Aikikai Hombu grades"),
        "awarded_on": gettext_noop("15 June 2026"),
    },
    NotificationKind.EXAM_INVITATION: {
        "exam": gettext_noop("Summer grading"),
        "date": gettext_noop("27 June 2026"),
        "location": gettext_noop("Main hall"),
        "rank": gettext_noop("4th kyu"),
        "rank_system": gettext_noop("Aikikai Hombu grades"),
    },
    NotificationKind.ABSENCE: {"last_visit": gettext_noop("15 May 2026"), "days": "31"},
    NotificationKind.CLASS_CANCELLED: {
        "class": gettext_noop("Evening class"),
        "date": gettext_noop("22 June 2026"),
        "time": "18:30",
        "reason": gettext_noop("The hall is flooded."),
    },
    NotificationKind.CLASS_MOVED: {
        "class": gettext_noop("Evening class"),
        "old_date": gettext_noop("22 June 2026"),
        "old_time": "18:30",
        "date": gettext_noop("23 June 2026"),
        "time": "19:00",
        "location": gettext_noop("Mat 2"),
    },
    NotificationKind.CLOSURE: {
        "first_day": gettext_noop("20 July 2026"),
        "last_day": gettext_noop("2 August 2026"),
        "classes": gettext_noop("Evening class"),
        "reason": gettext_noop("Summer break"),
    },
    NotificationKind.EXAM_MOVED: {
        "exam": gettext_noop("Summer grading"),
        "old_date": gettext_noop("27 June 2026"),
        "date": gettext_noop("4 July 2026"),
        "location": gettext_noop("Main hall"),
    },
    NotificationKind.FREE: {},
}
"""The additional fields of each student, by kind, with the value that a preview shows, to translate."""
SAMPLE_STUDENT: Final = "Mika Sato"

_DEFAULT_TEXTS: Final = Path(__file__).parent / "templates" / "mail"
"""In English; the catalogues translate subject and body."""


@dataclass(frozen=True, slots=True)
class MessageText:
    """Subject and body: a template with variables, or rendered."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class EffectiveTemplate:
    """The template that is used for a kind and language: the dojo's own, or the default."""

    kind: NotificationKind
    language: str
    text: MessageText
    is_default: bool

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names that the template may use."""
        return variable_names(self.kind)


def variable_names(kind: NotificationKind) -> tuple[str, ...]:
    """Return all variables that a template of this kind may use."""
    return (*COMMON_VARIABLES, *SAMPLE_FIELDS[kind])


@cache
def default_text(kind: NotificationKind, language: str) -> MessageText:
    """Return the default text of the app: the first line of its file is the subject, the rest the body."""
    subject, _, body = (_DEFAULT_TEXTS / f"{kind}.txt").read_text(encoding="utf-8").partition("\n\n")
    with translation.override(language):
        return MessageText(gettext(subject), gettext(body))


def template_for(kind: NotificationKind, language: str | None = None) -> EffectiveTemplate:
    """Return the effective template; `language` defaults to the dojo's. At most two statements."""
    language = language or DojoSettings.current().language
    return _effective(
        kind, language, NotificationTemplate.objects.filter(name=kind, language=language).first()
    )


def all_templates(language: str | None) -> list[EffectiveTemplate]:
    """Return the effective templates of all kinds; `language` None: the dojo's. At most two statements."""
    language = language or DojoSettings.current().language
    own = {row.name: row for row in NotificationTemplate.objects.filter(language=language)}
    return [_effective(kind, language, own.get(kind)) for kind in NotificationKind]


@transaction.atomic
def save_template(*, kind: NotificationKind, language: str | None, text: MessageText) -> EffectiveTemplate:
    """Save the dojo's own text. Saving the default text deletes it.

    `language` defaults to the dojo's. Raises `Invalid` with the line if the text is not a valid template.
    """
    language = language or DojoSettings.current().language
    validate_text(kind, text, language)
    if text == default_text(kind, language):
        NotificationTemplate.objects.filter(name=kind, language=language).delete()
        return EffectiveTemplate(kind, language, text, is_default=True)
    values = {"subject": text.subject, "body": text.body}
    NotificationTemplate.objects.update_or_create(name=kind, language=language, defaults=values)
    return EffectiveTemplate(kind, language, text, is_default=False)


def validate_text(kind: NotificationKind, text: MessageText, language: str) -> None:
    """Raise `Invalid` at `subject` and `body`, with the line, if the text cannot be rendered for every recipient."""
    fields = tuple(SAMPLE_FIELDS[kind])
    samples = [
        template_variables(sample_values(kind, names, language), language, kind)
        for names in ([SAMPLE_STUDENT, "Ren Sato"], [SAMPLE_STUDENT])
    ]
    samples.append(template_variables({"recipient": "", "students": [{"name": ""}]}, language, kind))
    problems = {}
    for part, source in (("subject", text.subject), ("body", text.body)):
        try:
            validate(
                source, variables=variable_names(kind), student_fields=("name", *fields), samples=samples
            )
        except InvalidTemplate as error:
            problems[part] = [str(error)]
    if problems:
        raise Invalid(details=problems)


def sample_values(
    kind: NotificationKind, names: Sequence[str], language: str, recipient: str = "Hana Sato"
) -> dict[str, Any]:
    """Return example values of a delivery about students with these names."""
    fields = sample_fields(kind, language)
    return {"recipient": recipient, "students": [{"name": name, **fields} for name in names]}


def sample_fields(kind: NotificationKind, language: str) -> dict[str, str]:
    """Return the additional fields of each student with example values."""
    with translation.override(language):
        return {name: gettext(value) for name, value in SAMPLE_FIELDS[kind].items()}


def render_message(
    text: MessageText, values: Mapping[str, Any], *, language: str, kind: NotificationKind
) -> MessageText:
    """Return the text as it is sent to one recipient. Raises `InvalidTemplate`."""
    variables = template_variables(values, language, kind)
    subject = one_line(render(text.subject, variables))[:MAX_SUBJECT_LENGTH]
    return MessageText(subject, render(text.body, variables).strip() + "\n")


def template_variables(values: Mapping[str, Any], language: str, kind: NotificationKind) -> dict[str, Any]:
    """Return the variables of a template from a delivery's `values`: each in one line, empty if it is unknown."""
    fields = SAMPLE_FIELDS[kind]
    students = [
        {name: one_line(str(one.get(name) or "")) for name in ("name", *fields)} for one in values["students"]
    ]
    return {
        "dojo": one_line(current_tenant().name),
        "recipient": one_line(values.get("recipient", "")),
        "student": join_names([one["name"] for one in students], language),
        "students": students,
        **{field: join_names([one[field] for one in students], language) for field in fields},
    }


def join_names(names: Sequence[str], language: str) -> str:
    """Return the distinct, non-empty names as a phrase: "Mika, Ren and Yui"."""
    distinct = [name for name in dict.fromkeys(names) if name]
    if len(distinct) < 2:  # noqa: PLR2004
        return "".join(distinct)
    with translation.override(language):
        return gettext("{names} and {last}").format(names=", ".join(distinct[:-1]), last=distinct[-1])


def _effective(kind: NotificationKind, language: str, own: NotificationTemplate | None) -> EffectiveTemplate:
    text = MessageText(own.subject, own.body) if own else default_text(kind, language)
    return EffectiveTemplate(kind, language, text, is_default=own is None)
