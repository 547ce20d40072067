"""The catalogues of translations: one folder `locale` for each app, with one file for each language.

A catalogue holds the texts that the Python code and the templates of an app mark with `gettext`, `ngettext` and
`pgettext`, the default messages of its errors (the first line of the docstring of a `DomainError`), and subject and
body of its mails (`templates/mail/*.txt`). Django reads the compiled files (`django.mo`), which are committed, so a
server needs no compiler. This module needs Babel, a tool of development.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

SOURCES: Final = tuple(Path(path) for path in ("platform/tatami", "shared_apps", "tenant_apps"))
"""The folders with texts that people of a dojo read."""

_KEYWORDS: Final[Mapping[str, tuple[int | tuple[int, str], ...] | None]] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_UNCHANGED_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The date in the header of each file, so that equal texts make equal files."""
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}|%\(\w+\)[sd]|%[sd]")


@dataclass(frozen=True)
class AppCatalogue:
    """The texts of one app in one language. `language` as Django writes it: `pt-br`."""

    app: Path
    language: str

    @property
    def po(self) -> Path:
        """Return the file that people translate."""
        return self.app / "locale" / to_locale(self.language) / "LC_MESSAGES" / "django.po"

    @property
    def mo(self) -> Path:
        """Return the file that Django reads."""
        return self.po.with_suffix(".mo")


def app_folders() -> list[Path]:
    """Return the folders of the apps and of the kernel that contain texts to translate, relative to the checkout."""
    kernel, *groups = SOURCES
    apps = [
        kernel,
        *sorted(path.parent for group in groups for path in (settings.ROOT / group).glob("*/apps.py")),
    ]
    return [app for app in (settings.ROOT / path for path in apps) if extracted(app)]


def translated_languages() -> list[str]:
    """Return the languages other than English for which some app has a catalogue."""
    found = {
        path.parents[1].name
        for source in SOURCES
        for path in (settings.ROOT / source).rglob("locale/*/LC_MESSAGES/django.po")
    }
    return [code for code, _ in settings.LANGUAGES if to_locale(code) in found]


def all_catalogues(*, added: str | None = None) -> list[AppCatalogue]:
    """Return the catalogue of each app in each language, also those whose file does not exist yet."""
    languages = dict.fromkeys([*translated_languages(), *([added] if added else [])])
    return [AppCatalogue(app, language) for language in languages for app in app_folders()]


def update(catalogue: AppCatalogue) -> None:
    """Add new texts to a catalogue, remove those that are gone, keep all translations, and compile it."""
    known = _read(catalogue)
    merged = _empty(catalogue.language)
    for message in extracted(catalogue.app):
        old = known.get(message.id, message.context) if known else None
        merged.add(
            message.id,
            old.string if old else "",
            locations=message.locations,
            context=message.context,
            flags=message.flags,
        )
    catalogue.po.parent.mkdir(parents=True, exist_ok=True)
    catalogue.po.write_bytes(_po_bytes(merged))
    catalogue.mo.write_bytes(_mo_bytes(merged))


def problems(catalogue: AppCatalogue) -> Iterator[str]:
    """Describe what is missing or wrong in a catalogue, one line each."""
    name = f"{catalogue.app.name} ({catalogue.language})"
    known = _read(catalogue)
    if known is None:
        yield f"{name}: there is no catalogue."
        return
    wanted = extracted(catalogue.app)
    ids = {(message.context, _key(message)) for message in wanted}
    for message in wanted:
        found = known.get(message.id, message.context)
        strings = _strings(found) if found else []
        if not strings or not all(strings):
            yield f"{name}: not translated: {_key(message)!r}"
        elif not _has_placeholders_of(message, strings):
            yield f"{name}: other placeholders than in the original: {_key(message)!r}"
    for message in known:
        if message.id and (message.context, _key(message)) not in ids:
            yield f"{name}: no code uses this text any more: {_key(message)!r}"
    if not catalogue.mo.exists() or catalogue.mo.read_bytes() != _mo_bytes(known):
        yield f"{name}: {catalogue.mo.name} is not the compiled {catalogue.po.name}."


@cache
def extracted(app: Path) -> tuple[Message, ...]:
    """Return the texts of an app, in the order of their files. Read once per process."""
    found = _empty("en")
    for path in sorted(app.rglob("*.py")):
        if "migrations" not in path.parts:
            _add(found, path, path.read_bytes())
            for line, text in _error_messages(path):
                found.add(text, locations=[(_shown(path), line)])
    for path in sorted(app.glob("templates/mail/*.txt")):
        subject, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        for text in (subject, body):
            found.add(text, locations=[(_shown(path), 1)])
    for path in sorted(app.rglob("*.html")):
        _add(found, path, templatize(path.read_text(encoding="utf-8"), origin=str(path)).encode())
    return tuple(message for message in found if message.id)


def _add(found: Catalog, path: Path, source: bytes) -> None:
    for line, text, comments, context in extract(
        "python", BytesIO(source), keywords=_KEYWORDS, comment_tags=("Translators:",)
    ):
        found.add(text, locations=[(_shown(path), line)], auto_comments=comments, context=context)


def _error_messages(path: Path) -> Iterator[tuple[int, str]]:
    """Return the line and the default message of each error class in a file."""
    for node in _classes(path):
        if node.name in error_names() and (text := ast.get_docstring(node)):
            yield node.lineno, text.partition("\n")[0]


@cache
def error_names() -> frozenset[str]:
    """Return the names of `DomainError` and all classes that derive from it."""
    bases: dict[str, set[str]] = {}
    for source in SOURCES:
        for path in (settings.ROOT / source).rglob("*.py"):
            for node in _classes(path):
                names = {
                    base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                    for base in node.bases
                }
                bases.setdefault(node.name, set()).update(names)
    found = {"DomainError"}
    while more := {name for name, names in bases.items() if names & found} - found:
        found |= more
    return frozenset(found)


def _classes(path: Path) -> Iterable[ast.ClassDef]:
    source = path.read_text(encoding="utf-8")
    return (
        (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
        if "class " in source
        else ()
    )


def _shown(path: Path) -> str:
    return path.relative_to(settings.ROOT).as_posix() if path.is_relative_to(settings.ROOT) else path.name


def _empty(language: str) -> Catalog:
    return Catalog(
        locale=to_locale(language),
        domain="django",
        project="Tatami",
        version="1",
        header_comment="# Written by `make messages`. Translate the texts; leave everything else.",
        msgid_bugs_address="",
        last_translator="",
        language_team="",
        creation_date=_UNCHANGED_SINCE,
        revision_date=_UNCHANGED_SINCE,
        fuzzy=False,
    )


def _read(catalogue: AppCatalogue) -> Catalog | None:
    if not catalogue.po.exists():
        return None
    with catalogue.po.open("rb") as file:
        return read_po(file, locale=to_locale(catalogue.language), domain="django", abort_invalid=True)


def _po_bytes(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_po(file, catalog, width=100, include_lineno=False, ignore_obsolete=True)
    return file.getvalue()


def _mo_bytes(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def _ids(message: Message) -> list[str]:
    return list(message.id) if isinstance(message.id, list | tuple) else [message.id]


def _key(message: Message) -> str:
    return _ids(message)[0]


def _strings(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, list | tuple) else [message.string or ""]


def _has_placeholders_of(message: Message, strings: Sequence[str]) -> bool:
    """Return whether the translations have the placeholders of the original. A singular may leave out its number."""
    wanted = _placeholders(_ids(message)[-1])
    *singular, last = strings
    return _placeholders(last) == wanted and all({*_placeholders(one)} <= {*wanted} for one in singular)


def _placeholders(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))
