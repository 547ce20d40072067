"""What the HTTP kernel needs from the apps, which it may not import.

Each app registers its part in `AppConfig.ready()`:

    registry.access_table.register(ACCESS)

Reading a part that no app has registered raises `ImproperlyConfigured`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tatami.api.permissions import RuleTable
    from tatami.api.request import Caller
    from tatami.errors import DomainError

T = TypeVar("T")


class Registration(Generic[T]):
    """One part, registered once per process. Registering again replaces it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._value: T | None = None

    def register(self, value: T) -> None:
        """Keep `value` for the life of the process. Call it in `AppConfig.ready()`."""
        self._value = value

    def get(self) -> T:
        """Return the registered value. Raises `ImproperlyConfigured` if there is none."""
        if self._value is None:
            raise ImproperlyConfigured(
                f"tatami.api.registry.{self.name} is empty: call `registry.{self.name}.register(…)` "
                "in `ready()` of the AppConfig that provides it."
            )
        return self._value

    @contextmanager
    def replaced_by(self, value: T) -> Iterator[None]:
        """Register `value` for the block, then restore the previous value. For tests."""
        before, self._value = self._value, value
        try:
            yield
        finally:
            self._value = before


DeviceLookup: TypeAlias = "Callable[[str, datetime], Caller | None]"
"""Takes a device's token and the current instant; returns the device of the current dojo, or `None`."""

ApiKeyLookup: TypeAlias = "Callable[[str, str, datetime], Caller]"
"""Takes an API key, the client's network address and the current instant; returns the key's user."""

access_table: "Final[Registration[RuleTable]]" = Registration("access_table")
"""The access rules of all routes. Registered by `config`."""

find_device: Final[Registration[DeviceLookup]] = Registration("find_device")
"""Finds the device that a bearer token belongs to. Registered by `attendance`."""

find_api_key_user: Final[Registration[ApiKeyLookup]] = Registration("find_api_key_user")
"""Finds the user that an API key belongs to. Registered by `accounts`."""

audit_model: Final[Registration[type[Model]]] = Registration("audit_model")
"""The model of audit entries. Registered by `accounts`."""

error_page: "Final[Registration[Callable[[DomainError, HttpRequest | None], HttpResponse]]]" = Registration(
    "error_page"
)
"""Makes the page that a browser gets in place of the JSON of an error. Registered by `desk`."""

idempotency_model: Final[Registration[type[Any]]] = Registration("idempotency_model")
"""The model of stored responses to requests with an `Idempotency-Key`. Registered by `accounts`."""
