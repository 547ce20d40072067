"""`manage.py tenant_shell`: Django's shell in one dojo."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from shared_apps.tenants.management.command import OnCallCommand, tenant_named
from tatami.tenancy.scope import tenant_scope


class Command(OnCallCommand):
    help = """\
Open Django's shell in the scope of one dojo, whatever its status: models read and write its rows and no other's.

Nothing that is done here is in the audit trail."""
    example = """\
  manage.py tenant_shell kita
  manage.py tenant_shell kita --command "print(Student.objects.count())"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dojo", metavar="DOJO", help="slug or id")
        parser.add_argument("-c", "--command", metavar="CODE", help="run this and end")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_named(options["dojo"])
        with tenant_scope(tenant):
            if options["command"] is None:
                self.stderr.write(f"You are in {tenant.slug} ({tenant.pk}, {tenant.status}).")
            call_command("shell", command=options["command"], verbosity=0)
