"""`manage.py prepare`: bring a database to the state in which the platform can serve requests."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.environment import read, secret
from demo.build import make_demo_dojos
from shared_apps.accounts.models import Role, User
from shared_apps.accounts.second_factors import is_needed
from shared_apps.accounts.users import create_user, hash_password
from shared_apps.tenants.provisioning import remove_incomplete_tenants
from tatami import clock
from tatami.errors import Invalid
from tatami.text import email_key


class Command(BaseCommand):
    help = (
        "Migrate `public` and every dojo, create the superadmin TATAMI_SUPERADMIN_EMAIL and, unless TATAMI_DEMO=0, "
        "two demo dojos. Running it again changes only what is missing. Example: manage.py prepare"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-demo", action="store_true", help="create no demo dojos, whatever the value of TATAMI_DEMO"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in settings.DATABASES:
            raise CommandError("OWNER_DATABASE_URL is not set. Set it to the URL of the login that migrates.")
        call_command("migrate_fleet", wait=True, go_on=True, stdout=self.stdout)
        remove_incomplete_tenants()
        self._create_superadmin()
        if not options["no_demo"] and read("bool", "TATAMI_DEMO", default=True):
            for line in make_demo_dojos(now=clock.now()):
                self.stdout.write(line)

    def _create_superadmin(self) -> None:
        email = read("str", "TATAMI_SUPERADMIN_EMAIL", "")
        password = secret("TATAMI_SUPERADMIN_PASSWORD") or ""
        if not email or User.objects.not_archived().filter(email_key=email_key(email)).exists():
            return
        try:
            password_hash = hash_password(password)
        except Invalid as error:
            raise CommandError(f"TATAMI_SUPERADMIN_PASSWORD: {error.details}") from None
        made = create_user(email=email, name="Superadmin", role=Role.ADMIN, password_hash=password_hash)
        self.stdout.write(f"created the superadmin {email}")
        if is_needed(made):
            self.stdout.write("Superadmins need a second factor: the first sign-in asks to set one up.")
