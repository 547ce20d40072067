"""`manage.py messages`: extract the texts that people read, and compile their translations."""

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.catalogues import all_catalogues, problems, update


class Command(BaseCommand):
    help = (
        "Write the texts marked with gettext, and the default messages of errors, to the catalogues (django.po) of "
        "each app, and compile them (django.mo). With --check: write nothing, and fail if a catalogue is outdated or a "
        "translation is missing. Example: manage.py messages --add de"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit with 1 if something is missing"
        )
        parser.add_argument(
            "--add", metavar="LANGUAGE", help="begin the catalogues of a language, such as de or pt-br"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["add"] and not re.fullmatch(r"[a-z]{2,3}(-[a-z]{2,4})?", options["add"]):
            raise CommandError(
                f"{options['add']!r} is not a language as Django writes it, such as de or pt-br."
            )
        catalogues = all_catalogues(added=options["add"])
        if not options["check"]:
            for catalogue in catalogues:
                update(catalogue)
        found = [line for catalogue in catalogues for line in problems(catalogue)]
        for line in found:
            self.stdout.write(line)
        if found and options["check"]:
            raise CommandError(
                f"{len(found)} problems. `make messages` updates the catalogues; then translate them."
            )
