"""Who signs in to a demo dojo, and with which password."""

import secrets
from functools import cache
from typing import Final

from django.conf import settings

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.users import create_user, hash_password
from tatami.tenancy.addresses import origin
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.text import email_key

DEMO_PASSWORD: Final = "demo-dojo-2026!"  # noqa: S105
_STAFF: Final = {
    Role.ADMIN: "Akiko Albers",
    Role.INSTRUCTOR: "Ingo Ishikawa",
    Role.ASSISTANT: "Aline Assunção",
}


@cache
def demo_password() -> str:
    """Return the password of all demo users: the documented one on one's own machine, else one nobody can know.

    A password that stands in the source opens no dojo that others can reach.
    """
    domain = settings.TATAMI_BASE_DOMAIN
    is_own_machine = domain == "localhost" or domain.endswith(".localhost")
    return DEMO_PASSWORD if is_own_machine else secrets.token_urlsafe(12)


@cache
def demo_password_hash() -> str:
    """Return the hash of the demo password. Made once: Argon2 is slow on purpose, and a dojo has five users."""
    return hash_password(demo_password())


def address(slug: str, who: str) -> str:
    """Return the e-mail address of a demo user; `.example` is nobody's (RFC 2606)."""
    return f"{who}@{slug}.example"


def staff_name(role: Role) -> str:
    """Return what the demo user of this role is called."""
    return _STAFF[role]


def demo_admin(slug: str, *, lock: bool = False) -> User | None:
    """Return the admin who was made with a demo dojo; None tells that this dojo is somebody's own."""
    users = User.objects.select_for_update() if lock else User.objects.all()
    return users.filter(email_key=email_key(address(slug, "admin"))).first()


def create_staff(slug: str, admin: User) -> None:
    """Create instructor and assistant. The hash is the admin's, so a dojo that is completed later has one password."""
    for role in (Role.INSTRUCTOR, Role.ASSISTANT):
        create_user(email=address(slug, role), name=staff_name(role), role=role, password_hash=admin.password)


def sign_in_line(tenant: TenantScope, *, is_new: bool) -> str:
    """Return where the dojo is and how its admin signs in."""
    with tenant_scope(tenant):
        where = origin()
    known = is_new or demo_password() == DEMO_PASSWORD
    password = demo_password() if known else "(the password printed when it was made)"
    return f"dojo  {where}  admin {address(tenant.slug, 'admin')} / {password}"
