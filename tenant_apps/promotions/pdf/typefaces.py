"""The typefaces of PDF documents, and which of them prints a text with Chinese characters. Imports no Django.

All are under the SIL Open Font License, and none is in this repository: Libertinus Serif (Latin, Greek, Cyrillic,
Hebrew) is part of Typst, the others come from packages. Typst takes each character from the first typeface that has
it, and embeds only the characters that are used.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import manimgx_fonts
import pylopdf_fonts_ar
import pylopdf_fonts_hi
import pylopdf_fonts_jp
import pylopdf_fonts_ko
import pylopdf_fonts_th
import pylopdf_fonts_zh_cn
import pylopdf_fonts_zh_tw
import typst

HanForm = Literal["japanese", "korean", "simplified", "traditional"]
"""The forms that Chinese characters have: those of Japan, of Korea, of China (simplified), of Taiwan (traditional).

Unicode has one number for a character that each of them draws in its own way."""

DEFAULT_HAN_FORM: Final[HanForm] = "japanese"

_PACKAGES: Final[tuple[ModuleType, ...]] = (
    manimgx_fonts,
    pylopdf_fonts_ar,
    pylopdf_fonts_hi,
    pylopdf_fonts_jp,
    pylopdf_fonts_ko,
    pylopdf_fonts_th,
    pylopdf_fonts_zh_cn,
    pylopdf_fonts_zh_tw,
)
_FIRST: Final = (
    "Libertinus Serif",
    "Noto Serif Devanagari",
    "Noto Naskh Arabic",
    "Noto Serif Thai",
    "Noto Sans",
)
_HAN: Final[Mapping[HanForm, str]] = {
    "japanese": "Noto Serif JP",
    "korean": "Noto Serif KR",
    "simplified": "Noto Serif SC",
    "traditional": "Noto Serif TC",
}
_OTHERS: Final = (
    "Noto Sans Arabic",
    "Noto Sans Armenian",
    "Noto Sans Bengali",
    "Noto Sans Ethiopic",
    "Noto Sans Georgian",
    "Noto Sans Gujarati",
    "Noto Sans Gurmukhi",
    "Noto Sans Kannada",
    "Noto Sans Khmer",
    "Noto Sans Lao",
    "Noto Sans Malayalam",
    "Noto Sans Myanmar",
    "Noto Sans Oriya",
    "Noto Sans Sinhala",
    "Noto Sans Tamil",
    "Noto Sans Telugu",
    "Noto Sans Symbols",
    "Noto Emoji",
)

_FORM_OF_ZONE: Final[Mapping[str, HanForm]] = {
    **dict.fromkeys(
        (
            "Asia/Shanghai",
            "Asia/Urumqi",
            "Asia/Chongqing",
            "Asia/Chungking",
            "Asia/Harbin",
            "Asia/Kashgar",
            "PRC",
        ),
        "simplified",
    ),
    **dict.fromkeys(("Asia/Singapore", "Singapore"), "simplified"),
    **dict.fromkeys(
        ("Asia/Taipei", "ROC", "Asia/Hong_Kong", "Hongkong", "Asia/Macau", "Asia/Macao"), "traditional"
    ),
    **dict.fromkeys(("Asia/Seoul", "ROK", "Asia/Pyongyang"), "korean"),
}
_CHARSETS: Final[Mapping[HanForm, str]] = {
    "japanese": "shift_jis",
    "simplified": "gb2312",
    "traditional": "big5",
    "korean": "euc_kr",
}
"""The national character sets: each has the characters that its country writes, in its own spelling."""

_KANA: Final = re.compile("[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f々〆]")
_BOPOMOFO: Final = re.compile("[\u3105-\u312f\u31a0-\u31bf]")
_HANGUL: Final = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_IDEOGRAPH: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@cache
def fonts() -> typst.Fonts:
    """Return the typefaces, searched once in a process. System fonts are left out, so output is the same everywhere."""
    folders = [str(Path(package.__file__ or "").parent) for package in _PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=folders)


def families(form: HanForm) -> list[str]:
    """Return the names of the typefaces in the order in which they are tried, for Chinese characters of a form."""
    return [*_FIRST, _HAN[form], *(name for other, name in _HAN.items() if other != form), *_OTHERS]


def han_form_of_zone(timezone: str) -> HanForm:
    """Return the form of Chinese characters in the country of a time zone; Japan's for the rest of the world."""
    return _FORM_OF_ZONE.get(timezone, DEFAULT_HAN_FORM)


def han_form(text: str, default: HanForm) -> HanForm:
    """Return the form of the Chinese characters in a text.

    Kana, bopomofo and hangul decide. Otherwise it is the form whose national character set has most of the characters:
    张 is in that of China only, 広 in that of Japan. `default` wins a tie, for most characters are in all of them.
    """
    ideographs = _IDEOGRAPH.findall(text)
    if not ideographs:
        return default
    for script, form in ((_KANA, "japanese"), (_BOPOMOFO, "traditional"), (_HANGUL, "korean")):
        if script.search(text):
            return form  # type: ignore[return-value]
    return max(
        (default, "japanese", "simplified", "traditional"),
        key=lambda form: sum(_is_in(one, _CHARSETS[form]) for one in ideographs),
    )


def _is_in(character: str, charset: str) -> bool:
    return bool(character.encode(charset, errors="ignore"))
