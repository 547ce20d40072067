"""Every text of promotions is translated in every catalogue, and a new catalogue is all that a new language takes."""

import gettext
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation import trans_real

from tenant_apps.promotions.engine.messages import translated
from tests.promotions.engine.factories import awarded, days_in_a_row, facts, ladder, result_for, trained

APP = Path(__file__).resolve().parents[3] / "tenant_apps" / "promotions"
CATALOGUES = sorted(APP.glob("locale/*/LC_MESSAGES/django.po"))

Key = tuple[str, str]
"""The context of a text, empty for none, and the text: of a plural the singular."""


def texts() -> dict[Key, tuple[str, ...]]:
    """Return the texts in the code: for a plural both forms."""
    found: dict[Key, tuple[str, ...]] = {}
    for _, _, message, _, context in extract_from_dir(APP):
        forms = (message,) if isinstance(message, str) else tuple(message)
        found[context or "", forms[0]] = forms
    return found


def translations(path: Path) -> dict[Key, Message]:
    with path.open("rb") as file:
        catalogue = read_po(file)
    return {(one.context or "", forms_of(one.id)[0]): one for one in catalogue if one.id}


def forms_of(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def test_there_is_a_catalogue_of_portuguese() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["pt_BR"]
    assert len(texts()) > 100


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_the_compiled_catalogue_is_that_of_the_source(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for (context, text), message in translations(path).items():
        forms = forms_of(message.string)
        if isinstance(message.id, str):
            found = compiled.pgettext(context, text) if context else compiled.gettext(text)
            assert (found,) == forms, "run `make messages`"
        else:
            singular, plural = message.id
            assert {compiled.ngettext(singular, plural, n) for n in (1, 2)} == set(forms), (
                "run `make messages`"
            )


GERMAN = {
    ("in a date", "January"): "Januar",
    ("first day of a month", "1 {month} {year}"): "1. {month} {year}",
    ("date", "{day} {month} {year}"): "{day}. {month} {year}",
    ("since", "{rank} on {date}"): "{rank} am {date}",
    ("", "{have} of {need} day of training since {event}."): (
        "Seit {event}: {have} von {need} Trainingstag.",
        "Seit {event}: {have} von {need} Trainingstagen.",
    ),
    ("", "{missing} more is needed."): ("Es fehlt {missing}.", "Es fehlen {missing}."),
}
JAPANESE = {
    ("two sentences", "{first} {second}"): "{first}{second}",
    ("in a date", "January"): "1月",
    ("first day of a month", "1 {month} {year}"): "{year}年{month}1日",
    ("since", "{rank} on {date}"): "{date}の{rank}",
    ("", "{have} of {need} day of training since {event}."): ("{event}から{need}日中{have}日稽古しました。",),
    ("", "{missing} more is needed."): ("あと{missing}日必要です。",),
}


@pytest.fixture
def new_language(tmp_path: Path, request: pytest.FixtureRequest, settings: object) -> Iterator[str]:
    """Add a catalogue, as a translator does, and return the language."""
    language, texts_in_it = request.param
    catalogue = Catalog(locale=language, creation_date=datetime(2026, 6, 15))  # noqa: DTZ001
    for (context, text), forms in texts_in_it.items():
        plural = texts()[context, text]
        catalogue.add(plural if len(plural) > 1 else text, forms, context=context or None)
    folder = tmp_path / language / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalogue)
    settings.LOCALE_PATHS = [tmp_path]  # type: ignore[attr-defined]
    trans_real._translations.clear()
    translated.forget()
    yield language
    trans_real._translations.clear()
    translated.forget()


@pytest.mark.parametrize(
    ("new_language", "expected"),
    [
        (("de", GERMAN), "Seit A am 1. Januar 2026: 4 von 5 Trainingstagen. Es fehlt 1."),
        (("ja", JAPANESE), "2026年1月1日のAから5日中4日稽古しました。あと1日必要です。"),
    ],
    indirect=["new_language"],
    ids=["german", "japanese"],
)
def test_a_catalogue_is_all_that_another_language_takes(new_language: str, expected: str) -> None:
    student = facts(awarded("a", "2026-01-01"), attendance=trained(days_in_a_row("2026-02-01", 4)))
    rules = ladder({"kind": "attendance_count", "n": 5, "unit": "day"})
    with translation.override(new_language):
        (result,) = result_for(rules, student, "2026-06-01", "b").criteria
    assert result.message == expected
