"""`manage.py tenant_shell`: open Django's shell in one dojo."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from shared_apps.tenants.management.command import OnCallCommand, find_tenant
from tatami.tenancy.scope import tenant_scope


class Command(OnCallCommand):
    help = """\
Open Django's shell in the scope of one dojo, whatever its status. Models read and write only the rows of that dojo.

The audit trail does not record what you do in this shell."""
    example = """\
  manage.py tenant_shell kita
  manage.py tenant_shell kita --command "print(Student.objects.count())"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dojo", metavar="DOJO", help="slug or id")
        parser.add_argument("-c", "--command", metavar="CODE", help="run this code and exit")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = find_tenant(options["dojo"])
        with tenant_scope(tenant):
            if options["command"] is None:
                self.stderr.write(f"This is the dojo {tenant.slug} ({tenant.pk}, {tenant.status}).")
            call_command("shell", command=options["command"], verbosity=0)
