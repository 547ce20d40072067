"""From a paper's data to its PDF, by Typst."""

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import typst

from tenant_apps.promotions.papers.fonts import fonts

TEMPLATES: Final = Path(__file__).parent
COMPILATIONS_REMEMBERED: Final = 10
"""Typst keeps what it laid out until so many further compilations have not asked for it."""

_one_at_a_time = Lock()
_began_in: set[int] = set()


def typeset(template: str, data: Mapping[str, Any], *, dated: date) -> bytes:
    """Return the PDF of `template` (a `.typ` file of this folder) with `data`; equal data make equal bytes.

    The file's own date is `dated`, not the clock's. Typst sees this folder and nothing else of the machine. One
    paper at a time is set in a process (Typst uses all cores for it), and its memory is given back.
    """
    _refuse_after_a_fork()
    with _one_at_a_time:
        try:
            return _pdf(
                str(TEMPLATES / template),
                sys_inputs={"paper": json.dumps(data, ensure_ascii=False)},
                timestamp=max(0, (dated - date(1970, 1, 1)).days * 86_400),
            )
        finally:
            _forget()


def _pdf(source: str | bytes, **given: Any) -> bytes:
    return cast("bytes", typst.compile(source, root=str(TEMPLATES), font_paths=fonts(), **given))


def _forget() -> None:
    # 200 certificates leave 100 MB, eleven such batches 1.2 GB. An empty page takes a millisecond.
    for _ in range(COMPILATIONS_REMEMBERED + 1):
        _pdf(b"")


def _refuse_after_a_fork() -> None:
    # Typst's threads do not come along into a forked child: it would wait for them for ever. Celery's parent prints
    # nothing, so this does not happen there; it fails here rather than hang.
    _began_in.add(os.getpid())
    if len(_began_in) > 1:
        raise RuntimeError("This process was forked from one that had already printed.")
