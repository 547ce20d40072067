"""`manage.py tenant_create`: create a dojo, as POST /tenants does."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rest_framework.exceptions import ValidationError

from shared_apps.accounts.users import hash_password
from shared_apps.tenants.management.command import OnCallCommand, format_errors
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from shared_apps.tenants.serializers import NewTenantSerializer
from tatami import clock
from tatami.errors import DomainError
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Create a dojo with its first admin. It is active when the command ends.

Without a password, the admin is mailed a link to set one. --password-stdin reads the password as one line from
standard input, so that it is in no shell history and no list of processes."""
    example = """\
  manage.py tenant_create kita --name "Kita Aikido" --timezone Europe/Berlin --admin aiko@kita.example
  pwgen 20 1 | manage.py tenant_create tora --name Tora --admin ken@tora.example --password-stdin --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="its subdomain")
        parser.add_argument("--name", required=True)
        parser.add_argument("--timezone", default="UTC", metavar="ZONE", help="default: %(default)s")
        parser.add_argument(
            "--admin", required=True, metavar="ADDRESS", help="e-mail address of the first admin"
        )
        parser.add_argument("--admin-name", default="", metavar="NAME")
        parser.add_argument("--password-stdin", action="store_true", help="read the admin's password")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        admin = {"email": options["admin"], "name": options["admin_name"]}
        if options["password_stdin"]:
            admin["password"] = sys.stdin.readline().rstrip("\n")
        given = NewTenantSerializer(
            data={key: options[key] for key in ("slug", "name", "timezone")} | {"admin": admin}
        )
        try:
            given.is_valid(raise_exception=True)
            values = given.validated_data
            admin = values.pop("admin")
            password = admin.pop("password", None)
            password_hash = hash_password(password) if password is not None else None
            with platform_scope():
                tenant, user = create_tenant(
                    **values, admin=FirstAdmin(**admin, password_hash=password_hash), now=clock.now()
                )
        except ValidationError as fault:
            raise CommandError(f"No dojo was created: {format_errors(fault.detail)}") from None
        except DomainError as fault:
            raise CommandError(
                f"No dojo was created: {fault} {format_errors(fault.details or {})}".rstrip()
            ) from None
        host = tenant.scope.primary_domain
        if options["json"]:
            self.print_json(
                {
                    "id": tenant.pk,
                    "slug": tenant.slug,
                    "schema": tenant.schema_name,
                    "host": host,
                    "admin": user.pk,
                }
            )
            return
        self.stdout.write(f"{tenant.slug} ({tenant.pk}) is active at {host}; its admin is {user.email}.")
