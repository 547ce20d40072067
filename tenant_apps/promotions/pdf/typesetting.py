"""Typeset a template with data into a PDF, with Typst."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import typst

from tenant_apps.promotions.errors import MissingGlyphs
from tenant_apps.promotions.pdf.typefaces import HanForm, families, fonts, han_form

TEMPLATES: Final = Path(__file__).parent
CACHED_COMPILATIONS: Final = 10
"""Typst evicts a layout that was not used in so many further compilations."""

_NEVER_A_CHARACTER: Final = "\U000fffff"
"""A noncharacter: every typeface prints its box for a missing glyph."""
_GLYPH: Final = re.compile(rb'xlink:href="#(\w+)"')

_lock = Lock()
_used_in_processes: set[int] = set()


def typeset(template: str, data: Mapping[str, Any], *, dated: date, default_form: HanForm) -> bytes:
    """Return the PDF of `template` (a `.typ` file of this folder) with `data`. Equal data result in equal bytes.

    The date in the file is `dated`, not the clock's. Chinese characters have the form that their text suggests (see
    `han_form`), or else `default_form`. Typst can read this folder only. A process typesets one document at a time
    (Typst uses all cores for it) and frees the memory afterwards.

    Raises `MissingGlyphs` for text that no typeface can print, and `RuntimeError` in a process that was forked from one
    that had typeset a document.
    """
    _refuse_after_fork()
    texts = list(dict.fromkeys(_texts(data)))
    forms = {text: form for text in texts if (form := han_form(text, default_form)) != default_form}
    typefaces = {form: families(form) for form in {default_form, *forms.values()}}
    paper = {**data, "default_form": default_form, "forms": forms, "typefaces": typefaces}
    with _lock:
        try:
            _check_glyphs(texts, families(default_form))
            return cast(
                "bytes", _compile(template, paper, timestamp=max(0, (dated - date(1970, 1, 1)).days * 86_400))
            )
        finally:
            _evict_cache()


def _check_glyphs(texts: list[str], typefaces: list[str]) -> None:
    """Raise `MissingGlyphs` if a text would be printed with a box in the place of a character."""
    words = list(dict.fromkeys(word for text in texts for word in text.split() if not word.isascii()))
    unprintable = _with_box(words, typefaces)
    if not unprintable:
        return
    characters = list(dict.fromkeys("".join(unprintable)))
    # A mark can be missing only together with its letter. Then the whole word is named.
    missing = _with_box(characters, typefaces) or unprintable
    raise MissingGlyphs(
        details={
            "missing_glyphs": missing,
            "texts": [text for text in texts if any(word in text.split() for word in unprintable)],
        }
    )


def _with_box(words: list[str], typefaces: list[str]) -> list[str]:
    """Return the words that are printed with a box. Each is set on its own page; 1,500 take a third of a second."""
    if not words:
        return []
    paper = {"words": [_NEVER_A_CHARACTER, *words], "typefaces": typefaces}
    box, *pages = (set(_GLYPH.findall(page)) for page in _compile("words.typ", paper, format="svg"))
    return [word for word, glyphs in zip(words, pages, strict=True) if glyphs & box]


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list) and not (data and isinstance(data[0], int)):  # not the bytes of an image
        for value in data:
            yield from _texts(value)


def _compile(template: str, paper: Mapping[str, Any], **options: Any) -> Any:
    inputs = {"paper": json.dumps(paper, ensure_ascii=False)}
    return _compile_source(str(TEMPLATES / template), sys_inputs=inputs, **options)


def _compile_source(source: str | bytes, **options: Any) -> Any:
    return typst.compile(source, root=str(TEMPLATES), font_paths=fonts(), **options)


def _evict_cache() -> None:
    # 200 certificates leave 100 MB in Typst's cache, eleven such files 1.2 GB. An empty document takes a millisecond.
    for _ in range(CACHED_COMPILATIONS + 1):
        _compile_source(b"")


def _refuse_after_fork() -> None:
    # A forked child does not have Typst's threads and would wait for them forever, so this raises an error instead.
    # Celery's parent process typesets nothing, so its workers can.
    _used_in_processes.add(os.getpid())
    if len(_used_in_processes) > 1:
        raise RuntimeError("This process was forked from one that has typeset a document.")
