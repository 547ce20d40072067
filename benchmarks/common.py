"""What the benchmarks share: Django's setup, removing the dojos they created, and printing results."""

import os
import sys


def set_up_django() -> None:
    """Load the settings and the apps."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()


def drop_dojos(slug: str) -> None:
    """Drop every dojo whose slug starts with `slug`, and its schema."""
    from shared_apps.tenants.models import Tenant
    from shared_apps.tenants.schema import ddl
    from tatami.tenancy.scope import platform_scope

    with platform_scope():
        for tenant in Tenant.objects.filter(slug__startswith=slug):
            ddl.drop_schema(tenant.schema_name)
            Tenant.objects.filter(pk=tenant.pk).delete()


def print_line(line: str) -> None:
    """Print a line to stderr, because the log goes to stdout."""
    sys.stderr.write(line + "\n")


def target_mark(met: bool) -> str:
    """Return the mark of a target that was met or missed."""
    return "(met)" if met else "(MISSED)"
