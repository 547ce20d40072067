"""The Liquid subset in which dojos write their templates.

A template may use the variables that the caller lists and nothing else. It cannot walk attributes, include files, loop
over ranges or assign variables. Its values are strings and one list of objects of strings. All of this is checked when
a template is saved, so that sending does not fail.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Final

from django.utils.translation import gettext, gettext_noop
from liquid import BoundTemplate, Environment, RenderContext, StrictUndefined
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.static_analysis import TemplateAnalysis, Variable

_TAGS: Final = (
    "content", "output", "illegal", "if", "unless", "case", "for", "break", "continue", "comment", "#",
)  # fmt: skip
_FILTERS: Final = (
    "capitalize", "upcase", "downcase", "strip", "truncate", "default", "join", "first", "last", "size",
)  # fmt: skip
_LOOP_FIELDS: Final = ("index", "index0", "rindex", "rindex0", "first", "last", "length")
_LIQUID_ERRORS: Final = (LiquidError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What python-liquid raises for a template: its own errors, and Python's where it does not convert them."""

MAX_BRACES: Final = 500
"""Two for each output or tag."""

_FAULTS_OF_LIQUID: Final = {
    r"expected (?P<wanted>.+), found (?P<found>.+)": gettext_noop("expected {wanted}, found {found}"),
    r"unexpected tag (?P<name>.+)": gettext_noop("unexpected tag {name}"),
    r"unexpected (?P<found>.+)": gettext_noop("unexpected {found}"),
    r"unknown operator (?P<name>.+)": gettext_noop("unknown operator {name}"),
    r"missing expression": gettext_noop("missing expression"),
    r"block nesting limit reached": gettext_noop("block nesting limit reached"),
    r"loop iteration limit reached": gettext_noop("loop iteration limit reached"),
    r"output stream limit reached": gettext_noop("output stream limit reached"),
}
"""The messages of python-liquid that people see most often → the text to translate."""
_PARTS_OF_LIQUID: Final = (
    gettext_noop("a primitive expression"),
    gettext_noop("end of expression"),
    gettext_noop("end of file"),
    gettext_noop("word"),
)
"""What these messages expected or found."""

Values = Mapping[str, Any]
Problem = tuple[str, int]
"""A message and the index of the character it refers to."""


class InvalidTemplate(Exception):
    """The template cannot be used. The message says why and in which line."""


class RestrictedEnvironment(Environment):
    """Liquid with strict undefined variables, few tags and filters, and limits on nesting, loops and output."""

    block_nesting_limit: ClassVar[int] = 8
    loop_iteration_limit: ClassVar[int | None] = 1_000
    output_stream_limit: ClassVar[int | None] = 100_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Remove all tags and filters except ours, so that a short template cannot produce megabytes."""
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: self.tags[name] for name in _TAGS}
        self.filters = {name: self.filters[name] for name in _FILTERS}


_ENVIRONMENT: Final = RestrictedEnvironment(undefined=StrictUndefined)


def render(source: str, values: Values) -> str:
    """Return the template with its variables filled in. Raises `InvalidTemplate`."""
    try:
        return _parse(source).render(values)
    except _LIQUID_ERRORS as error:
        raise _invalid(error, source) from error


def validate(
    source: str, *, variables: Sequence[str], student_fields: Sequence[str], samples: Sequence[Values]
) -> None:
    """Raise `InvalidTemplate` if the template is not valid Liquid, names an unknown variable, or fails with a sample.

    `variables` are the global names that it may use; `student_fields` are the fields of each item of `students`.
    """
    try:
        template = _parse(source)
        for message, index in _problems(template, variables, student_fields):
            raise InvalidTemplate(_with_line(source, index, message))
    except _LIQUID_ERRORS as error:
        raise _invalid(error, source) from error
    for sample in samples:
        render(source, sample)


@lru_cache(maxsize=256)
def _parse(source: str) -> BoundTemplate:
    if source.count("{") > MAX_BRACES:  # parsing takes the square of their number
        raise InvalidTemplate(
            gettext("A template has at most {most} opening braces.").format(most=MAX_BRACES)
        )
    return _ENVIRONMENT.from_string(source)


def _problems(
    template: BoundTemplate, variables: Sequence[str], student_fields: Sequence[str]
) -> Iterator[Problem]:
    """Yield what is not allowed in a template, but which Liquid reports only on rendering, or not at all."""
    analysis: TemplateAnalysis = template.analyze(include_partials=False)
    yield from _ranges(template)
    for name, spans in analysis.filters.items():
        if name not in _FILTERS:
            yield gettext("there is no filter '{name}'").format(name=name), spans[0].index
    for name, uses in analysis.globals.items():
        if name not in variables:
            yield gettext("there is no variable '{name}'").format(name=name), uses[0].span.index
    global_uses = {use.span.index for use in chain.from_iterable(analysis.globals.values())}
    for use in chain.from_iterable(analysis.variables.values()):
        if not _is_known(use, student_fields, is_global=use.span.index in global_uses):
            yield gettext("there is no variable '{name}'").format(name=use), use.span.index


def _ranges(template: BoundTemplate) -> Iterator[Problem]:
    for node in _nodes(template.nodes, RenderContext(template)):
        if any(isinstance(one, RangeLiteral) for one in _expressions(node.expressions())):
            yield gettext("ranges are not available"), node.token.start_index


def _is_known(use: Variable, student_fields: Sequence[str], *, is_global: bool) -> bool:
    """Return whether the path after a variable's first name exists: strings have none, the others a few names."""
    first, *rest = use.segments
    if not rest:
        return True
    if first == "students" and is_global:
        return rest == ["size"] or (rest[0] in ("first", "last") and _is_one_of(rest[1:], student_fields))
    if first == "forloop":
        return _is_one_of(rest, _LOOP_FIELDS)
    return not is_global and _is_one_of(rest, student_fields)


def _is_one_of(rest: Sequence[Any], names: Sequence[str]) -> bool:
    return len(rest) == 1 and rest[0] in names


def _nodes(nodes: Sequence[Node], context: RenderContext) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _nodes(list(node.children(context, include_partials=False)), context)


def _expressions(expressions: Any) -> Iterator[Expression]:
    for expression in expressions:
        yield expression
        yield from _expressions(expression.children())


def _invalid(error: BaseException, source: str) -> InvalidTemplate:
    if not isinstance(error, LiquidError):
        return InvalidTemplate(gettext("This text is too complex."))
    token = error.token
    if token is None or token.start_index < 0:
        return InvalidTemplate(_with_line(source, len(source), _fault_of_liquid(str(error.message))))
    return InvalidTemplate(_with_line(source, token.start_index, _fault_of_liquid(str(error.message))))


def _fault_of_liquid(message: str) -> str:
    """Return what python-liquid says about a fault, in the language of the dojo if that is known."""
    for pattern, text in _FAULTS_OF_LIQUID.items():
        if found := re.fullmatch(pattern, message):
            return gettext(text).format(**{name: gettext(part) for name, part in found.groupdict().items()})
    return message


def _with_line(source: str, index: int, message: str) -> str:
    """Return the message with its line number, counted from 1."""
    return gettext("line {line}: {message}").format(line=source.count(chr(10), 0, index) + 1, message=message)
