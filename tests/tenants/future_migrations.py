"""Migrations of a future release, written to a folder.

A process is of that release if it has the folder on its path and uses its settings (`environment`). This process is,
within `in_the_future`.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

from django.conf import settings
from django.db import connections
from django.test import override_settings
from psycopg.conninfo import make_conninfo

from shared_apps.tenants.schema import versions
from shared_apps.tenants.schema.blueprint import blueprint_at
from tatami.embedded.logins import OWNER, create_database, drop_database
from tests.support.live_server import login_urls

APP: Final = "students"

ADD_NICKNAME: Final = "migrations.AddField('student', 'nickname', models.CharField(max_length=40, null=True))"
ADD_VISITS: Final = """\
migrations.CreateModel('Visit', fields=[
            ('id', models.UUIDField(primary_key=True, serialize=False)),
            ('tenant_id', models.UUIDField()),
            ('student', models.ForeignKey('students.student', on_delete=models.CASCADE, related_name='+')),
        ])"""
INDEX_NICKNAME: Final = """\
migrations.AddIndex('student', models.Index(fields=['nickname'], name='student_by_nickname'))"""
DROP_FOREIGN_KEY: Final = "migrations.RemoveField('studentnote', 'student')"
DROP_NICKNAME: Final = "migrations.RemoveField('student', 'nickname')"

_MIGRATION: Final = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('{app}', '{before}')]
    contracts = {contracts}
    operations = [
        {operation},
    ]
"""


def write_future(folder: Path, migrations: Mapping[str, str]) -> None:
    """Write a package of the present migrations of `students`, followed by these: name → operation.

    A migration whose name begins with `drop` is contracting.
    """
    package = folder / "future_students"
    package.mkdir()
    (package / "__init__.py").touch()
    present = sorted(module.name for module in iter_modules(_present_package().__path__))
    for name in present:
        again = f"Migration = import_module('{_present_package().__name__}.{name}').Migration\n"
        (package / f"{name}.py").write_text(f"from importlib import import_module\n\n{again}")
    before = present[-1]
    for number, (name, operation) in enumerate(migrations.items(), 9001):
        text = _MIGRATION.format(
            app=APP, before=before, contracts=name.startswith("drop"), operation=operation
        )
        before = f"{number}_{name}"
        (package / f"{before}.py").write_text(text)
    (folder / "future_settings.py").write_text(
        f"from config.settings import *\n\nMIGRATION_MODULES = {{'{APP}': 'future_students'}}\n"
    )


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process of that release, with the database of this process."""
    database: str = settings.DATABASES["default"]["NAME"]
    return {**os.environ, **login_urls(database), **variables(folder)}


def variables(folder: Path) -> dict[str, str]:
    """Return the environment variables that make a process one of that release."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "future_settings"}


@contextmanager
def database_of_its_own(name: str) -> Iterator[str]:
    """Use a new, empty database with both logins, and drop it afterwards."""
    admin, before = make_conninfo(os.environ["ADMIN_DATABASE_URL"]), settings.DATABASES["default"]["NAME"]
    create_database(admin, name, OWNER, recreate=True)
    _use(name)
    try:
        yield name
    finally:
        _use(before)
        drop_database(admin, name)


def _use(database: str) -> None:
    connections.close_all()
    for alias in ("default", "owner"):
        settings.DATABASES[alias]["NAME"] = connections[alias].settings_dict["NAME"] = database


@contextmanager
def in_the_future(folder: Path) -> Iterator[versions.History]:
    """Let this process use the migrations of that release."""
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        with override_settings(MIGRATION_MODULES={APP: "future_students"}):
            _clear_caches()
            yield versions.history()
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "future_students"]:
            del sys.modules[name]
        _clear_caches()


def _clear_caches() -> None:
    for cached in (versions.history, versions.public_history, versions.can_serve, blueprint_at):
        cached.cache_clear()


def _present_package() -> ModuleType:
    return import_module(f"tenant_apps.{APP}.migrations")
