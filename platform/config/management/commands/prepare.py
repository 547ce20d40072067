"""`manage.py prepare`: bring a database to the point where the platform can serve."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.demo import make_demo_dojos
from config.environment import read, secret
from shared_apps.accounts.models import Role, User
from shared_apps.accounts.users import create_user, hashed_password
from shared_apps.tenants.provisioning import clear_abandoned
from tatami import clock
from tatami.errors import Invalid
from tatami.text import email_key


class Command(BaseCommand):
    help = (
        "Migrate `public` and every dojo, make the superadmin of TATAMI_SUPERADMIN_EMAIL and, unless TATAMI_DEMO=0, "
        "two demo dojos. Running it again changes only what is missing. Example: manage.py prepare"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-demo", action="store_true", help="make no demo dojos, whatever TATAMI_DEMO says"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in settings.DATABASES:
            raise CommandError(
                "OWNER_DATABASE_URL is not set: nothing can be migrated without the owner login."
            )
        call_command("migrate_fleet", wait=True, go_on=True, stdout=self.stdout)
        clear_abandoned()
        self._make_superadmin()
        if not options["no_demo"] and read("bool", "TATAMI_DEMO", default=True):
            for line in make_demo_dojos(now=clock.now()):
                self.stdout.write(line)

    def _make_superadmin(self) -> None:
        email = read("str", "TATAMI_SUPERADMIN_EMAIL", "")
        password = secret("TATAMI_SUPERADMIN_PASSWORD") or ""
        if not email or User.objects.live().filter(email_key=email_key(email)).exists():
            return
        try:
            password_hash = hashed_password(password)
        except Invalid as fault:
            raise CommandError(f"TATAMI_SUPERADMIN_PASSWORD: {fault.details}") from None
        create_user(email=email, name="Superadmin", role=Role.ADMIN, password_hash=password_hash)
        self.stdout.write(f"made the superadmin {email}")
