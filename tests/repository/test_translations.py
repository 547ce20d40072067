"""Every text that people of a dojo read is in each language that has catalogues."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

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


# --- texts that no one marked -----------------------------------------------------------------------------------------

MARKS = {
    "_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy",
    "npgettext",
}  # fmt: skip
REFUSALS = {
    "Invalid",
    "field",
    "ValidationError",
    "add_error",
    "warn",
    "fail",
    "UnknownRank",
    "InvalidTemplate",
}
"""What a fault is handed to, beside the error classes: its text reaches people even if it is no whole sentence."""
FOR_DEVELOPERS = {
    "Histogram", "Statement", "CompiledQuery", "Limit", "counter_of", "RuntimeError", "TypeError",
    "ImproperlyConfigured", "OpenApiParameter", "_flag_parameter", "_choice_parameter", "getLogger", "get_logger",
}  # fmt: skip
"""Calls whose texts the operator or a programmer reads: metrics, names of statements, the OpenAPI document, bugs."""
FOR_DEVELOPERS_KEYWORDS = {"help_text", "description"}
NO_TEXTS_OF_PEOPLE = {
    "openapi.py": "the OpenAPI document is in English",
    "erasure_policy.py": "reasons beside the tables, which a test reads",
    "attendance/views/reports.py": "descriptions of parameters in the OpenAPI document",
}
SENTENCE = re.compile(r"[A-Z{].* .*[.?!:]", re.DOTALL)


def unmarked(source: str, errors: frozenset[str] = frozenset()) -> list[str]:
    """Return the texts in Python code that people would read in English: sentences, and all that an error is told."""
    return sorted(set(_unmarked(ast.parse(source), REFUSALS | errors, is_told=False)))


def _unmarked(node: ast.AST, told: frozenset[str] | set[str], *, is_told: bool) -> Iterator[str]:
    name = _name(node.func) if isinstance(node, ast.Call) else ""
    if name in MARKS | FOR_DEVELOPERS or (
        isinstance(node, ast.keyword) and node.arg in FOR_DEVELOPERS_KEYWORDS
    ):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    text = _text(node)
    if text is not None:
        words = re.sub(r"\{[^{}]*\}", "", text)
        if SENTENCE.fullmatch(text) or (is_told and re.search(r"[A-Za-z]+ [a-z]", words)):
            yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from _unmarked(child, told, is_told=is_told or name in told)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('Invalid.field("on", "This day has not come yet.")', ["This day has not come yet."]),
        ('Invalid.field("on", gettext("This day has not come yet."))', []),
        ('Invalid.field("on", gettext("At most {most}.").format(most=1))', []),
        ('raise Late("too late")', ["too late"]),
        ('faults["on"] = [f"The best mark is {best}."]', ["The best mark is {}."]),
        ('line.add_error("on", f"not after {day}")', ["not after {}"]),
        ('ValidationError({"on": ["no such day"]})', ["no such day"]),
        ('default_error_messages = {"far": "This is too far."}', ["This is too far."]),
        ('NO_DAY: Final = "There is no such day."', ["There is no such day."]),
        ('NO_DAY: Final = gettext_noop("There is no such day.")', []),
        ('add("one" if few else "This is too much.")', ["This is too much."]),
        ('"""A docstring. It has sentences."""', []),
        ('Histogram("seconds", "How long it took. In seconds.")', []),
        ('find("SELECT id FROM students_student")', []),
    ],
)
def test_an_unmarked_text_is_found(code: str, found: list[str]) -> None:
    assert unmarked(code, frozenset({"Late"})) == found


def test_every_text_of_the_dojos_apps_is_marked() -> None:
    """Texts that people of a dojo read are marked for translation where they are written."""
    found = {
        path.relative_to(settings.ROOT).as_posix(): texts
        for path in sorted((settings.ROOT / "tenant_apps").rglob("*.py"))
        if "migrations" not in path.parts
        and not path.as_posix().endswith(tuple(NO_TEXTS_OF_PEOPLE))
        and (texts := unmarked(path.read_text(encoding="utf-8"), catalogues.error_names()))
    }
    assert found == {}
