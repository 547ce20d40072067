"""Colours of pages from the one colour of a dojo, so that every text on them can be read.

WCAG 2.2 asks for a contrast of 4.5 between a text and its ground. The dojo's colour is the ground of buttons, where the
text is white or nearly black, whichever differs more; as the colour of texts it is made darker, or in the dark look
lighter, until it reaches 4.5 on each ground of pages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MIN_CONTRAST: Final = 4.5
WHITE: Final = (255, 255, 255)
BLACK: Final = (0, 0, 0)
NEARLY_BLACK: Final = (16, 20, 18)
LIGHT_GROUNDS: Final = ("#f5f2ea", "#fffdf8", "#ffffff", "#ece7da")
DARK_GROUNDS: Final = ("#15191b", "#1d2325", "#242b2e", "#101315")
"""`--ground`, `--surface`, `--raised` and `--sunken` of `desk.css`, in both looks."""
LINEAR_UNTIL: Final = 0.04045
"""The curve of sRGB is a line up to here."""
_STEPS: Final = 64
_SOFT_SHARE: Final = 0.16

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one look, as `#rrggbb`. The names are those of the tokens in `desk.css`."""

    accent: str
    accent_strong: str
    on_accent: str
    accent_soft: str


def light_palette(colour: str) -> Palette:
    """Return the colours of the light look for a colour `#rrggbb`."""
    return _palette(colour, LIGHT_GROUNDS, away=BLACK)


def dark_palette(colour: str) -> Palette:
    """Return the colours of the dark look for a colour `#rrggbb`."""
    return _palette(colour, DARK_GROUNDS, away=WHITE)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it, from 1 to 21."""
    first, second = sorted((_luminance(_parse(one)), _luminance(_parse(other))), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _palette(colour: str, grounds: tuple[str, ...], *, away: Colour) -> Palette:
    surface = _parse(grounds[1])
    accent = _mixed_until(_parse(colour), away, lambda text: _reads_on(text, grounds))
    soft = _text(_mix(surface, _parse(accent), _SOFT_SHARE))
    strong = _mixed_until(
        _mix(_parse(accent), away, 0.2), away, lambda text: _reads_on(text, (soft, *grounds))
    )
    on_accent = _readable_on(accent, strong)
    return Palette(accent, strong, on_accent, soft)


def _readable_on(*grounds: str) -> str:
    """Return white or nearly black, whichever reads better on all grounds."""
    return max(
        (_text(WHITE), _text(NEARLY_BLACK)), key=lambda text: min(contrast(text, one) for one in grounds)
    )


def _reads_on(text: str, grounds: tuple[str, ...]) -> bool:
    return all(contrast(text, ground) >= MIN_CONTRAST for ground in grounds)


def _mixed_until(colour: Colour, other: Colour, is_enough: Callable[[str], bool]) -> str:
    """Mix more and more of `other` into a colour until it is enough."""
    for step in range(_STEPS + 1):
        found = _text(_mix(colour, other, step / _STEPS))
        if is_enough(found):
            return found
    return _text(other)


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= LINEAR_UNTIL else ((part + 0.055) / 1.055) ** 2.4
        for part in (one / 255 for one in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parse(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _text(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
