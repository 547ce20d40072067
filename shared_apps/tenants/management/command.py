"""What the commands for people on call share: help with an example, `--json`, exit codes."""

import argparse
import logging
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.db.models import Q

from shared_apps.tenants.fleet.retries import transient
from shared_apps.tenants.models import Tenant
from tatami.tenancy.scope import platform_scope

MOST_SECONDS: Final = 86_400
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class OnCallCommand(BaseCommand):
    """A command whose `--help` keeps its paragraphs and ends with examples.

    Without its database it ends with one line: whatever it was at is done, or undone by the sweeper.
    """

    example: ClassVar[str]
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        # Django would fill the paragraphs into one.
        return super().create_parser(
            *args,
            epilog=f"example:\n{self.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def execute(self, *args: Any, **options: Any) -> Any:
        # Log lines beside the output, not in it.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(sys.stderr)
        try:
            return super().execute(*args, **options)
        except Error as error:
            if (reason := transient(error)) is None:
                raise
            raise CommandError(f"The database went away ({reason}). Run this again.") from error

    def add_json(self, parser: CommandParser) -> None:
        """Let `--json` be asked for."""
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")

    def print_json(self, document: Any) -> None:
        """Print a document for programs."""
        self.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def in_words(details: Any) -> str:
    """Return what is wrong with which value, in one line."""
    if isinstance(details, Mapping):
        return " ".join(f"{key}: {in_words(value)}" for key, value in details.items())
    return " ".join(map(str, details))


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number of an option, for argparse."""

    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise ValueError
        return value

    return number


def some_seconds(text: str) -> float:
    """Read a time of an option, for argparse: more than none, and an end to it."""
    if not 0 < (value := float(text)) < MOST_SECONDS:
        raise ValueError
    return value


def tenant_named(name: str) -> Tenant:
    """Return the dojo with this slug or id. Raises `CommandError` where there is none."""
    is_it = Q(pk=name) if _UUID.fullmatch(name) else Q(slug=name)
    with platform_scope():
        found = Tenant.objects.with_primary_domain().filter(is_it).first()
    if found is None:
        raise CommandError(f"There is no dojo {name}.")
    return found
