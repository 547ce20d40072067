"""Plots as SVG, made on the server. Every plot has a table or a sentence beside it that says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT: Final = 120
_BASE: Final = 100
_STEP: Final = 40
"""The least width of a bar with the space beside it. Longer labels make all of them wider."""
_LETTER: Final = 6
_LEAST_WIDTH: Final = 12 * _STEP
"""The width of a plot with few bars: otherwise they would be as large as the page."""
_THICK: Final = 14
"""The height of a lying bar in pixels."""


@dataclass(frozen=True, slots=True)
class LyingBar:
    """A row of a plot of lying bars: its whole name, a number, and what stands beside or colours it.

    `beside` is a second number, drawn as a paler bar below. `colours` (`#1a2b3c`, at most three) are those of a belt,
    from top to bottom; without them the bar has the colour of the dojo.
    """

    name: str
    number: float
    beside: float | None = None
    colours: Sequence[str] = ()


def bars(values: Sequence[tuple[str, int]], *, label: str) -> SafeString:
    """Return a plot of bars from left to right: a label below and a number above each. `label` describes the whole."""
    most = max((number for _, number in values), default=0) or 1
    step = max([_STEP, *(_LETTER * len(name) + 4 for name, _ in values)])
    wide = max(_LEAST_WIDTH, len(values) * step)
    middle = (wide - len(values) * step) // 2 + step // 2  # a few bars stand in the middle
    shapes = []
    for place, (name, number) in enumerate(values):
        height = round(number / most * (_BASE - 22), 1)
        shapes.append(
            (
                place * step + middle - 14,
                _BASE - height,
                height,
                place * step + middle,
                _BASE - height - 5,
                number,
                name,
            )
        )
    drawn = format_html_join(
        "",
        '<rect class="value" x="{0}" y="{1}" width="28" height="{2}" rx="3"/>'
        '<text x="{3}" y="{4}" text-anchor="middle">{5}</text><text x="{3}" y="116" text-anchor="middle">{6}</text>',
        shapes,
    )
    return format_html(
        '<div class="plot-wrap"><svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg></div>',
        wide, HEIGHT, label, wide, _BASE, _BASE, drawn,
    )  # fmt: skip


def lying_bars(rows: Sequence[LyingBar], *, label: str) -> SafeString:
    """Return a plot of bars that lie below each other, for names of any length: they wrap, and are never cut.

    All bars have one scale. `label` describes the whole.
    """
    most = max((max(row.number, row.beside or 0) for row in rows), default=0) or 1
    drawn = format_html_join(
        "",
        '<li><span class="name">{}</span>{}<span class="number">{}</span></li>',
        ((row.name, _lying(row, most), _numbers(row)) for row in rows),
    )
    return format_html('<ul class="lying" aria-label="{}">{}</ul>', label, drawn)


def _lying(row: LyingBar, most: float) -> SafeString:
    """Return the bar of a row, with its width in per cent of the column, so that it fits each screen."""
    width = round(100 * row.number / most, 2)
    if row.colours:
        high = round(_THICK / len(row.colours), 2)
        bands = format_html_join(
            "",
            '<rect x="0" y="{}" width="{}%" height="{}" fill="{}"/>',
            ((round(place * high, 2), width, high, fill) for place, fill in enumerate(row.colours)),
        )
        shape = format_html(
            '{}<rect class="edge" x="0" y="0" width="{}%" height="{}"/>', bands, width, _THICK
        )
    else:
        shape = format_html('<rect class="value" x="0" y="0" width="{}%" height="{}" rx="3"/>', width, _THICK)
    height = _THICK
    if row.beside is not None:
        height = 2 * _THICK
        shape += format_html(
            '<rect class="beside" x="0" y="{}" width="{}%" height="{}" rx="3"/>',
            _THICK, round(100 * row.beside / most, 2), _THICK - 4,
        )  # fmt: skip
    return format_html(
        '<svg class="bar-shape" width="100%" height="{}" aria-hidden="true">{}</svg>', height, shape
    )


def _numbers(row: LyingBar) -> str:
    shown = [row.number] if row.beside is None else [row.number, row.beside]
    return " / ".join(localize(number) for number in shown)
