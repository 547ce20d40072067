"""The typefaces of what is printed; all under the SIL Open Font License, none in this repository.

Libertinus Serif (Latin, Greek, Cyrillic, Hebrew) comes inside Typst, Noto Serif JP and KR from packages. Typst takes
each character from the first of them that has it, and embeds the characters that are used.
"""

from functools import cache

import pylopdf_fonts_jp
import pylopdf_fonts_ko
import typst


@cache
def fonts() -> typst.Fonts:
    """Return the typefaces, found once per process. Those of the machine are left out: a paper is the same anywhere."""
    folders = [str(package.serif_path().parent) for package in (pylopdf_fonts_jp, pylopdf_fonts_ko)]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=folders)
