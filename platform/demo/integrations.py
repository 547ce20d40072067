"""What programs and careful users add to a demo dojo: an API key, a webhook, and a second factor."""

from datetime import datetime
from typing import Final

from demo.dojos import DEMO_PASSWORD, DojoData, demo_password
from shared_apps.accounts.api_keys import create_api_key
from shared_apps.accounts.models import Role, SecondFactor
from shared_apps.accounts.totp import encrypted_secret
from shared_apps.accounts.users import create_user
from shared_apps.webhooks.services import change_webhook, create_webhook

DEMO_TOTP_SECRET: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105
TWO_STEPS: Final = "two-steps"
"""The name in the address of the user with a second factor."""
WEBHOOK_URL: Final = "https://hooks.example.com/tatami"


def add_integrations(data: DojoData, *, now: datetime) -> None:
    """Add an API key that no one knows, a disabled webhook, and on localhost a user with a second factor.

    The key is not printed, so it opens nothing; the list shows its prefix. The host of the webhook is reserved
    (RFC 2606), and a disabled webhook sends nothing.
    """
    create_api_key(name="Accounting", role=Role.ASSISTANT, read_only=True, now=now)
    webhook, _ = create_webhook(
        url=WEBHOOK_URL, events=["attendance.*", "student.*"], description="Accounting, not connected yet"
    )
    change_webhook(webhook=webhook, changes={"is_active": False}, now=now)
    if demo_password() == DEMO_PASSWORD:
        # As public as the password of all demo users, and for a user of its own: it weakens no other sign-in.
        user = create_user(
            email=data.dojo.address(TWO_STEPS),
            name="Tessa Tanaka",
            role=Role.ASSISTANT,
            password_hash=data.admin.password,
        )
        SecondFactor.objects.create(
            user=user, name="Demo app", secret=encrypted_secret(DEMO_TOTP_SECRET), confirmed_at=now
        )
