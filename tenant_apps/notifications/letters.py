"""Which text a kind of mail has, and a letter made of it: the dojo's own words, or else the app's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.db import transaction

from tatami.errors import Invalid
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.kinds import SAMPLES, Kind
from tenant_apps.notifications.models import NotificationTemplate
from tenant_apps.notifications.writing import BrokenText, check, one_line, written

_OURS: Final = Path(__file__).parent / "defaults"
_AND: Final = {"en": "and", "pt-br": "e"}
LONGEST_SUBJECT: Final = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """Subject and body: with variables in them, or as they are sent."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Text:
    """The text in force for a kind of mail in a language."""

    kind: Kind
    language: str
    letter: Letter
    is_default: bool


@cache
def default_letter(kind: Kind, language: str) -> Letter:
    """Return the app's own text: its first line is the subject, and what follows an empty line the body."""
    subject, _, body = (_OURS / language / f"{kind}.txt").read_text(encoding="utf-8").partition("\n\n")
    return Letter(subject, body)


def text_for(kind: Kind, language: str | None = None) -> Text:
    """Return the text in force; without a language in the dojo's. At most two statements."""
    language = language or DojoSettings.current().language
    own = NotificationTemplate.objects.filter(name=kind, language=language).first()
    letter = Letter(own.subject, own.body) if own else default_letter(kind, language)
    return Text(kind, language, letter, is_default=own is None)


def texts(language: str | None = None) -> list[Text]:
    """Return the texts in force of all kinds. Two statements."""
    language = language or DojoSettings.current().language
    own = {row.name: row for row in NotificationTemplate.objects.filter(language=language)}
    return [
        Text(
            kind,
            language,
            Letter(own[kind].subject, own[kind].body) if kind in own else default_letter(kind, language),
            is_default=kind not in own,
        )
        for kind in Kind
    ]


@transaction.atomic
def keep_text(*, kind: Kind, language: str | None, letter: Letter) -> Text:
    """Make a text the dojo's own; the app's own, sent back, takes its place again. Raises `Invalid`, with the line."""
    language = language or DojoSettings.current().language
    refuse_broken(kind, letter, language)
    if letter == default_letter(kind, language):
        NotificationTemplate.objects.filter(name=kind, language=language).delete()
        return Text(kind, language, letter, is_default=True)
    given = {"subject": letter.subject, "body": letter.body}
    NotificationTemplate.objects.update_or_create(name=kind, language=language, defaults=given)
    return Text(kind, language, letter, is_default=False)


def refuse_broken(kind: Kind, letter: Letter, language: str) -> None:
    """Raise `Invalid` at `subject` and `body` for what cannot be sent, with the line."""
    fields, faults = tuple(SAMPLES[kind]), {}
    samples = [
        variables(sample_values(kind, names), language, kind)
        for names in (["Mika Sato", "Ren Sato"], ["Mika Sato"])
    ]
    samples.append(variables({"recipient": "", "students": [{"name": ""}]}, language, kind))
    for place, source in (("subject", letter.subject), ("body", letter.body)):
        try:
            check(source, fields=fields, samples=samples)
        except BrokenText as fault:
            faults[place] = [str(fault)]
    if faults:
        raise Invalid(details=faults)


def sample_values(kind: Kind, names: Sequence[str], recipient: str = "Hana Sato") -> dict[str, Any]:
    """Return what a mail about these students might say."""
    return {"recipient": recipient, "students": [{"name": name, **SAMPLES[kind]} for name in names]}


def compose(letter: Letter, values: Mapping[str, Any], *, language: str, kind: Kind) -> Letter:
    """Return a letter as it is sent. Raises `BrokenText`."""
    given = variables(values, language, kind)
    subject = one_line(written(letter.subject, given))[:LONGEST_SUBJECT]
    return Letter(subject, written(letter.body, given).strip() + "\n")


def variables(values: Mapping[str, Any], language: str, kind: Kind) -> dict[str, Any]:
    """Return all that a text of this kind may name, each in one line, empty where nothing is known."""
    fields = SAMPLES[kind]
    students = [
        {name: one_line(str(one.get(name) or "")) for name in ("name", *fields)} for one in values["students"]
    ]
    return {
        "dojo": one_line(current_tenant().name),
        "recipient": one_line(values.get("recipient", "")),
        "student": enumerated([one["name"] for one in students], language),
        "students": students,
        **{field: enumerated([one[field] for one in students], language) for field in fields},
    }


def enumerated(names: Sequence[str], language: str) -> str:
    """Return different names as one says them: "Mika, Ren and Yui"."""
    different = [name for name in dict.fromkeys(names) if name]
    if len(different) < 2:  # noqa: PLR2004
        return "".join(different)
    return f"{', '.join(different[:-1])} {_AND[language]} {different[-1]}"
