"""Every text that people of a dojo read is in each language that has catalogues."""

from pathlib import Path

import pytest

from config import catalogues
from config.catalogues import AppCatalogue, all_catalogues, extracted, problems, translated_languages, update

ERRORS = '''
from tatami.errors import Invalid

class GiUnclean(Invalid):
    """This gi must be washed.

    It can be worn then.
    """

def greet(count):
    return ngettext("{count} belt", "{count} belts", count), pgettext("colour", "White")
'''


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app with an error, a plural and a text with context."""
    (tmp_path / "errors.py").write_text(ERRORS)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text('{% load i18n %}<p>{% translate "Bow first" %}</p>')
    extracted.cache_clear()
    names = catalogues.error_names() | {"GiUnclean"}
    monkeypatch.setattr(catalogues, "error_names", lambda: names)
    return tmp_path


@pytest.mark.parametrize("one", all_catalogues(), ids=lambda one: f"{one.app.name}-{one.language}")
def test_every_text_is_translated(one: AppCatalogue) -> None:
    assert list(problems(one)) == []


def test_portuguese_has_catalogues_with_the_errors_of_all_apps() -> None:
    assert translated_languages() == ["pt-br"]
    texts = {text.id for one in all_catalogues() for text in extracted(one.app)}
    assert {"The rules do not allow this promotion yet.", "This class session is full."} <= texts


def test_a_text_without_translation_is_found(app: Path) -> None:
    catalogue = AppCatalogue(app, "de")
    assert list(problems(catalogue)) == [f"{app.name} (de): there is no catalogue."]
    update(catalogue)
    assert list(problems(catalogue)) == [
        f"{app.name} (de): not translated: {text!r}"
        for text in ("{count} belt", "White", "This gi must be washed.", "Bow first")
    ]


def test_a_translation_is_kept_and_checked(app: Path) -> None:
    catalogue = AppCatalogue(app, "de")
    update(catalogue)
    text = catalogue.po.read_text()
    for line, translation in (
        ('msgstr[0] ""\nmsgstr[1] ""', 'msgstr[0] "{count} Gürtel"\nmsgstr[1] "{count} Gürtel"'),
        ('msgid "White"\nmsgstr ""', 'msgid "White"\nmsgstr "Weiß"'),
        ('washed."\nmsgstr ""', 'washed."\nmsgstr "Dieser Gi muss gewaschen werden."'),
        ('first"\nmsgstr ""', 'first"\nmsgstr "Erst {verbeugen}"'),
    ):
        assert line in text
        text = text.replace(line, translation)
    catalogue.po.write_text(text)
    found = list(problems(catalogue))
    assert found == [
        f"{app.name} (de): other placeholders than in the original: 'Bow first'",
        f"{app.name} (de): django.mo is not the compiled django.po.",
    ]
    catalogue.po.write_text(text.replace("Erst {verbeugen}", "Erst verbeugen"))
    update(catalogue)
    assert list(problems(catalogue)) == []
    (app / "errors.py").write_text(ERRORS.replace("This gi must", "This gi should"))
    extracted.cache_clear()
    assert list(problems(catalogue)) == [
        f"{app.name} (de): not translated: 'This gi should be washed.'",
        f"{app.name} (de): no code uses this text any more: 'This gi must be washed.'",
    ]
