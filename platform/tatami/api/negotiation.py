"""Which parser reads a body, and which renderer writes the answer."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request


class Negotiation(DefaultContentNegotiation):
    """DRF's, but a body that says nothing about itself is taken for what the view reads first: JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the body's content type, None where no parser reads it."""
        if not request.content_type:
            return next(iter(parsers), None)
        return super().select_parser(request, parsers)
