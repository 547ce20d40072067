"""What the commands for operators share: `--help` with examples, `--json`, exit codes, finding a tenant."""

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

from shared_apps.tenants.models import Tenant
from tatami.postgresql.sqlstates import transient_reason
from tatami.tenancy.scope import TenantScope, platform_scope

MAX_SECONDS: Final = 86_400
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class OnCallCommand(BaseCommand):
    """A command whose `--help` keeps its paragraphs and ends with examples.

    If the database goes away, the command ends with one line of text: its work is then done, or the sweeper undoes it.
    """

    example: ClassVar[str]
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        # Django's formatter would join the paragraphs.
        return super().create_parser(
            *args,
            epilog=f"example:\n{self.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def execute(self, *args: Any, **options: Any) -> Any:
        # Log lines go to stderr, so that stdout has only the command's output.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(sys.stderr)
        try:
            return super().execute(*args, **options)
        except Error as error:
            if (reason := transient_reason(error)) is None:
                raise
            raise CommandError(
                f"The database is not available ({reason}). Run this command again."
            ) from error

    def add_json(self, parser: CommandParser) -> None:
        """Add the option `--json`."""
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")

    def print_json(self, document: Any) -> None:
        """Print a JSON document."""
        self.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def format_errors(details: Any) -> str:
    """Return validation errors as one line."""
    if isinstance(details, Mapping):
        return " ".join(f"{key}: {format_errors(value)}" for key, value in details.items())
    return " ".join(map(str, details))


def at_least(least: int) -> Callable[[str], int]:
    """Return a type for argparse: a whole number that is at least `least`."""

    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise ValueError
        return value

    return number


def positive_seconds(text: str) -> float:
    """Type for argparse: a time in seconds, more than 0 and less than `MAX_SECONDS`."""
    if not 0 < (value := float(text)) < MAX_SECONDS:
        raise ValueError
    return value


def active_dojos(slug: str | None) -> list[TenantScope]:
    """Return the active dojos, or the one with this slug. Raises `CommandError` if there is none with the slug."""
    with platform_scope():
        active = Tenant.objects.active().with_primary_domain()
        found = [one.scope for one in active.filter(**({"slug": slug} if slug else {})).order_by("slug")]
    if slug and not found:
        raise CommandError(f"There is no dojo {slug} that is active.")
    return found


def find_tenant(name: str) -> Tenant:
    """Return the tenant with this slug or id. Raises `CommandError` if there is none."""
    matches = Q(pk=name) if _UUID.fullmatch(name) else Q(slug=name)
    with platform_scope():
        found = Tenant.objects.with_primary_domain().filter(matches).first()
    if found is None:
        raise CommandError(f"There is no dojo {name}.")
    return found
