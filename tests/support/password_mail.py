"""Sends the password mails of a dojo or the platform, as a worker does."""

from shared_apps.accounts.password_mails import send_password_mails, send_platform_password_mails
from tatami import clock
from tatami.jobs import JobRun
from tatami.tenancy.scope import PLATFORM, Scope, TenantScope, tenant_scope


def send_waiting_password_mails(scope: Scope) -> None:
    """Run the outbox of password mails once."""
    if isinstance(scope, TenantScope):
        with tenant_scope(scope):
            send_password_mails(JobRun(now=clock.now()))
    else:
        assert scope is PLATFORM
        send_platform_password_mails.apply(throw=True)
