"""Plots as SVG, made on the server. Every plot has a table or a sentence beside it that says the same."""

from collections.abc import Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT: Final = 120
_BASE: Final = 100
_STEP: Final = 40


def bars(values: Sequence[tuple[str, int]], *, label: str) -> SafeString:
    """Return a plot of bars from left to right: a label below and a number above each. `label` describes the whole."""
    most = max((number for _, number in values), default=0) or 1
    shapes = []
    for place, (name, number) in enumerate(values):
        height = round(number / most * (_BASE - 22), 1)
        shapes.append(
            (place * _STEP + 6, _BASE - height, height, place * _STEP + 20, _BASE - height - 5, number, name)
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
        max(1, len(values)) * _STEP, HEIGHT, label, max(1, len(values)) * _STEP, _BASE, _BASE, drawn,
    )  # fmt: skip
