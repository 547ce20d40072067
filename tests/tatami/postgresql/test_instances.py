"""Instances of models that a statement has read."""

from typing import Any

from shared_apps.accounts.models import User
from shared_apps.accounts.users import create_user
from tatami.postgresql.statements import instance
from tatami.tenancy.scope import TenantScope, tenant_scope


def test_an_instance_is_that_of_the_orm(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        user = create_user(email="mika@example.com", role="admin", password_hash="!")
        row: Any = instance(User, ["id", "email"], [user.pk, user.email])
        assert row == user
        assert (
            row.get_deferred_fields()
            == User.objects.only("id", "email").get(pk=user.pk).get_deferred_fields()
        )
        assert row.role == "admin"  # read when it is needed
        row.name = "Mika"
        row.save(update_fields=["name"])
        assert User.objects.get(pk=user.pk).name == "Mika"
