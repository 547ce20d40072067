"""Django's translations, remembered: a check of thousands of students asks for the same texts again and again.

`gettext`, `ngettext` and `pgettext` are those of Django, and translators' tools find texts by these names. The language
is read once for each check (`active_language`): Django looks it up anew for each text, which took longer than
everything else in a check.
"""

from contextvars import ContextVar
from functools import lru_cache
from typing import Final

from django.utils import translation

MOST_REMEMBERED: Final = 8_192
"""Texts in all languages of the process, and plural forms of numbers."""

_LANGUAGE: Final[ContextVar[str | None]] = ContextVar("language of the messages", default=None)


def active_language() -> str | None:
    """Return the language that is active in Django."""
    return translation.get_language()


def use_language(code: str | None) -> None:
    """Write the following messages of this thread in this language."""
    _LANGUAGE.set(code)


def language() -> str | None:
    return _LANGUAGE.get()


def gettext(message: str) -> str:
    return _text(_LANGUAGE.get(), message)


def pgettext(context: str, message: str) -> str:
    return _text_in_context(_LANGUAGE.get(), context, message)


def ngettext(singular: str, plural: str, number: int) -> str:
    return _plural(_LANGUAGE.get(), singular, plural, number)


@lru_cache(maxsize=MOST_REMEMBERED)
def _text(code: str | None, message: str) -> str:
    with translation.override(code):
        return translation.gettext(message)


@lru_cache(maxsize=MOST_REMEMBERED)
def _text_in_context(code: str | None, context: str, message: str) -> str:
    with translation.override(code):
        return translation.pgettext(context, message)


@lru_cache(maxsize=MOST_REMEMBERED)
def _plural(code: str | None, singular: str, plural: str, number: int) -> str:
    with translation.override(code):
        return translation.ngettext(singular, plural, number)


def forget() -> None:
    """Forget all texts: a catalogue was added to the running process, which only tests do."""
    for remembered in (_text, _text_in_context, _plural):
        remembered.cache_clear()
