#!/usr/bin/env python
"""The command line of the project. Commands run in the platform's scope."""

import os
import sys
from pathlib import Path

# `platform/` is a source root, not a package: see docs/decisions/0002-layout.md.
sys.path.insert(0, str(Path(__file__).resolve().parent / "platform"))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from tatami.tenancy.scope import platform_scope

    with platform_scope():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
