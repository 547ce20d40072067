"""Texts that a dojo writes: Liquid, of which only what a letter needs is there.

A text names the variables that we list, and nothing else. It has no attributes to walk, no files to include, no ranges
to loop over, no variables of its own to fill up; what it is given are strings, and a list of objects of strings. All
of that is looked at when it is saved, not when it is sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Final

from liquid import BoundTemplate, Environment, RenderContext, StrictUndefined
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.static_analysis import TemplateAnalysis, Variable

from tenant_apps.notifications.kinds import ABOUT_ALL

_TAGS: Final = (
    "content", "output", "illegal", "if", "unless", "case", "for", "break", "continue", "comment", "#",
)  # fmt: skip
_FILTERS: Final = (
    "capitalize", "upcase", "downcase", "strip", "truncate", "default", "join", "first", "last", "size",
)  # fmt: skip
_OF_A_LOOP: Final = ("index", "index0", "rindex", "rindex0", "first", "last", "length")
_ENDS: Final = ("first", "last")
_UNPRINTABLE: Final = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
_FAULTS: Final = (LiquidError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What Liquid raises over a text: its own errors, and Python's where it has none."""

Values = Mapping[str, Any]
Fault = tuple[str, int]
"""What is wrong, and at which character."""


class BrokenText(Exception):
    """A text that cannot be used. Its message says why, and where."""


class Letters(Environment):
    """Liquid for letters: strict about what it does not know, and bounded."""

    block_nesting_limit: ClassVar[int] = 8
    loop_iteration_limit: ClassVar[int | None] = 1_000
    output_stream_limit: ClassVar[int | None] = 100_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Keep what letters need, and nothing by which a few characters make megabytes."""
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: self.tags[name] for name in _TAGS}
        self.filters = {name: self.filters[name] for name in _FILTERS}


_LETTERS: Final = Letters(undefined=StrictUndefined)


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters: what comes from data makes no header or paragraph."""
    return _UNPRINTABLE.sub(" ", text).strip()


def written(source: str, values: Values) -> str:
    """Return a text with its variables filled in. Raises `BrokenText`."""
    try:
        return _parsed(source).render(values)
    except _FAULTS as fault:
        raise _broken(fault, source) from fault


def check(source: str, *, fields: Sequence[str], samples: Sequence[Values]) -> None:
    """Refuse a text that is not Liquid, names what is not there, or fails with one of the samples.

    `fields` are what each student has beside the name; a text may also name them for all students at once. Raises
    `BrokenText`, with the line.
    """
    try:
        found = _parsed(source).analyze(include_partials=False)
        for wrong, place in _faults(_parsed(source), found, fields):
            raise BrokenText(_at(source, place, wrong))
    except _FAULTS as fault:
        raise _broken(fault, source) from fault
    for sample in samples:
        written(source, sample)


@lru_cache(maxsize=256)
def _parsed(source: str) -> BoundTemplate:
    return _LETTERS.from_string(source)


def _faults(template: BoundTemplate, found: TemplateAnalysis, fields: Sequence[str]) -> Iterator[Fault]:
    """Yield what may not be in a text: what Liquid alone would find out when it is written, if then."""
    yield from _ranges(template)
    for name, spans in found.filters.items():
        if name not in _FILTERS:
            yield f"there is no filter '{name}'", spans[0].index
    for name, uses in found.globals.items():
        if name not in (*ABOUT_ALL, *fields):
            yield f"there is no variable '{name}'", uses[0].span.index
    of_a_student = ("name", *fields)
    ours = {use.span.index for use in chain.from_iterable(found.globals.values())}
    for use in chain.from_iterable(found.variables.values()):
        if not _is_known(use, of_a_student, is_ours=use.span.index in ours):
            yield f"there is no variable '{use}'", use.span.index


def _ranges(template: BoundTemplate) -> Iterator[Fault]:
    for node in _nodes(template.nodes, RenderContext(template)):
        if any(isinstance(one, RangeLiteral) for one in _expressions(node.expressions())):
            yield "ranges are not available", node.token.start_index


def _is_known(use: Variable, of_a_student: Sequence[str], *, is_ours: bool) -> bool:
    """Say whether what follows a variable's first name exists: nothing after a string, a few names after the others."""
    first, *rest = use.segments
    if not rest:
        return True
    if first == "students" and is_ours:
        return rest == ["size"] or (rest[0] in _ENDS and _one(rest[1:], of_a_student))
    if first == "forloop":
        return _one(rest, _OF_A_LOOP)
    return not is_ours and _one(rest, of_a_student)


def _one(rest: Sequence[Any], names: Sequence[str]) -> bool:
    return len(rest) == 1 and rest[0] in names


def _nodes(nodes: Sequence[Node], context: RenderContext) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _nodes(list(node.children(context, include_partials=False)), context)


def _expressions(expressions: Any) -> Iterator[Expression]:
    for expression in expressions:
        yield expression
        yield from _expressions(expression.children())


def _broken(fault: BaseException, source: str) -> BrokenText:
    if not isinstance(fault, LiquidError):
        return BrokenText("This text is too involved.")
    token = fault.token
    if token is None or token.start_index < 0:
        return BrokenText(_at(source, len(source), str(fault.message)))
    return BrokenText(_at(source, token.start_index, str(fault.message)))


def _at(source: str, place: int, message: str) -> str:
    """Return a message with its line, counted as editors do."""
    return f"line {source.count(chr(10), 0, place) + 1}: {message}"
