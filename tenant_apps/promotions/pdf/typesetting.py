"""Typeset a template with data into a PDF, with Typst.

The typefaces are under the SIL Open Font License; none is in this repository. Libertinus Serif (Latin, Greek, Cyrillic,
Hebrew) is part of Typst, Noto Serif JP and KR come from packages. Typst takes each character from the first typeface
that has it, and embeds only the characters that are used.
"""

import json
import os
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import pylopdf_fonts_jp
import pylopdf_fonts_ko
import typst

TEMPLATES: Final = Path(__file__).parent
CACHED_COMPILATIONS: Final = 10
"""Typst evicts a layout that was not used in so many further compilations."""

_lock = Lock()
_used_in_processes: set[int] = set()


def typeset(template: str, data: Mapping[str, Any], *, dated: date) -> bytes:
    """Return the PDF of `template` (a `.typ` file of this folder) with `data`. Equal data result in equal bytes.

    The date in the file is `dated`, not the clock's. Typst can read this folder only. A process typesets one document
    at a time (Typst uses all cores for it) and frees the memory afterwards. Raises `RuntimeError` in a process that was
    forked from one that had typeset a document.
    """
    _refuse_after_fork()
    with _lock:
        try:
            return _compile(
                str(TEMPLATES / template),
                sys_inputs={"paper": json.dumps(data, ensure_ascii=False)},
                timestamp=max(0, (dated - date(1970, 1, 1)).days * 86_400),
            )
        finally:
            _evict_cache()


@cache
def fonts() -> typst.Fonts:
    """Return the typefaces, searched once in a process. System fonts are left out, so output is the same everywhere."""
    folders = [str(package.serif_path().parent) for package in (pylopdf_fonts_jp, pylopdf_fonts_ko)]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=folders)


def _compile(source: str | bytes, **options: Any) -> bytes:
    return cast("bytes", typst.compile(source, root=str(TEMPLATES), font_paths=fonts(), **options))


def _evict_cache() -> None:
    # 200 certificates leave 100 MB in Typst's cache, eleven such files 1.2 GB. An empty document takes a millisecond.
    for _ in range(CACHED_COMPILATIONS + 1):
        _compile(b"")


def _refuse_after_fork() -> None:
    # A forked child does not have Typst's threads and would wait for them forever, so this raises an error instead.
    # Celery's parent process typesets nothing, so its workers can.
    _used_in_processes.add(os.getpid())
    if len(_used_in_processes) > 1:
        raise RuntimeError("This process was forked from one that has typeset a document.")
