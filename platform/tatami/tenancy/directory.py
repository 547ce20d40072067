"""The dojos, for kernel and apps that may not know their table: whoever `settings.TATAMI_HOSTS` names answers."""

from datetime import datetime
from importlib import import_module
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings

from tatami.tenancy.scope import TenantScope


class Directory(Protocol):
    """What the module that `settings.TATAMI_HOSTS` names offers."""

    def find_tenant(self, host: str) -> TenantScope | None: ...
    def find_tenant_by_id(self, tenant_id: UUID) -> TenantScope | None: ...
    def request_turn(self, tenant: TenantScope, job: str, *, request_id: str | None) -> None: ...
    def number_waiting(self) -> int: ...
    def read_epoch(self) -> int: ...
    def change_identity(
        self, tenant: TenantScope, *, now: datetime, name: str | None, timezone: str | None
    ) -> TenantScope: ...


def directory() -> Directory:
    """Return the module that knows the dojos."""
    return cast("Directory", import_module(settings.TATAMI_HOSTS))
