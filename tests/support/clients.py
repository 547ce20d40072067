"""Clients of the API: one method call is one HTTP request through all middleware."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.test import Client

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_session
from shared_apps.accounts.users import create_user
from tatami import clock
from tatami.tenancy.scope import PLATFORM, Scope, TenantScope, platform_scope, tenant_scope


@dataclass
class Caller:
    """A client of one host: with a token a signed-in user, without one anonymous."""

    host: str
    token: str | None = None
    user: User | None = None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"Host": self.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.generic(method, path, headers=given, **_encoded(more))

    def get(self, path: str, **headers: str) -> Any:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.request("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.request("PATCH", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.request("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.request("DELETE", path, **headers)


def _encoded(given: dict[str, Any]) -> dict[str, Any]:
    if "data" in given and not isinstance(given["data"], bytes | str):
        given["data"] = orjson.dumps(given["data"])
    return given


def _signed_in(scope: Scope, host: str, role: str, email: str) -> Caller:
    with tenant_scope(scope) if isinstance(scope, TenantScope) else platform_scope():
        user = create_user(email=email, name=email.partition("@")[0].title(), role=role, password_hash="!")
        tokens = open_session(user, now=clock.now())
    return Caller(host=host, token=tokens.access, user=user)


class Platform:
    """The platform host."""

    host = "localhost"

    @property
    def anonymous(self) -> Caller:
        return Caller(self.host)

    def superadmin(self, email: str = "root@example.com") -> Caller:
        return _signed_in(PLATFORM, self.host, "admin", email)


@dataclass
class Dojo:
    """The host of one dojo and its users. A user is created at the first access."""

    tenant: TenantScope
    people: dict[str, Caller] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.tenant.slug}.localhost"

    @property
    def anonymous(self) -> Caller:
        return Caller(self.host)

    @property
    def admin(self) -> Caller:
        return self.person("admin")

    @property
    def instructor(self) -> Caller:
        return self.person("instructor")

    @property
    def assistant(self) -> Caller:
        return self.person("assistant")

    @property
    def student(self) -> Caller:
        """A user of role student. The test decides which students are linked (`factories.link_user`)."""
        return self.person("student")

    def person(self, role: str, name: str | None = None) -> Caller:
        """Return the signed-in user of this role and name; create them at the first call."""
        key = name or role
        if key not in self.people:
            self.people[key] = _signed_in(self.tenant, self.host, role, f"{key}@example.com")
        return self.people[key]

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object as admin, and return it."""
        response = self.admin.post(path, body)
        assert response.status_code == 201, response.content
        created: dict[str, Any] = response.json()
        return created
