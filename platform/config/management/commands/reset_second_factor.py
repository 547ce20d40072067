"""`manage.py reset_second_factor`: let a user in again who lost their second factor, and no admin can help."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from shared_apps.accounts import second_factors
from shared_apps.accounts.models import SecondFactor, User
from shared_apps.tenants.management.command import OnCallCommand, find_tenant
from tatami import clock
from tatami.api.audit import add_audit_entry
from tatami.tenancy.scope import platform_scope, tenant_scope
from tatami.text import email_key


class Command(OnCallCommand):
    help = """\
Remove all second factors and recovery codes of a superadmin, or with --tenant of a user of that dojo, and end their
sessions. Admins do the same for others with DELETE /users/{id}/second-factors; this command is for the last one.

The password stays. If the role needs a second factor, the user sets one up at the next sign-in. The audit shows the
reset with the reason. Repeated, the command removes nothing more."""
    example = """\
  manage.py reset_second_factor root@example.com --reason "lost the phone; called back"
  manage.py reset_second_factor aiko@kita.example --tenant kita --reason "ticket 4711"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address with which the user signs in")
        parser.add_argument("--tenant", metavar="SLUG", help="the dojo of the user; without it, the platform")
        parser.add_argument("--reason", default="", help="why, for the audit")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        scope = tenant_scope(find_tenant(slug).scope) if slug else platform_scope()
        with scope, transaction.atomic():
            found = User.objects.not_archived().people().filter(email_key=email_key(options["email"])).first()
            if found is None:
                where = f"The dojo {slug}" if slug else "The platform"
                raise CommandError(f"{where} has no user {options['email']}.")
            removed = SecondFactor.objects.filter(user=found, confirmed_at__isnull=False).count()
            now = clock.now()
            second_factors.reset(user=found, now=now)
            add_audit_entry(
                actor=found,
                action="second-factor.reset-by-command",
                object_id=found.pk,
                reason=options["reason"],
                now=now,
            )
            is_needed = second_factors.is_needed(found)
        if options["json"]:
            self.print_json({"user": found.pk, "removed": removed, "enrolment_needed": is_needed})
            return
        self.stdout.write(f"{removed} second factors of {found.email} were removed; the sessions have ended.")
        if is_needed:
            self.stdout.write("The role needs a second factor: the next sign-in asks to set one up.")
