"""Clients of pages: one method call is what a browser does when a person follows a link or sends a form."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any

from django.test import Client

from shared_apps.accounts.cookie_sessions import open_cookie_session
from shared_apps.accounts.models import User
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.desk.sessions import SESSION_COOKIE
from tests.support.clients import Dojo


@dataclass
class Visitor:
    """A browser at a dojo's host: signed in as a user of a role, or not at all."""

    host: str
    user: User | None = None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def get(self, path: str, *, accept: str = "text/html", **headers: str) -> Any:
        given = {
            "Host": self.host,
            "Accept": accept,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.client.get(path, headers=given)

    def post(self, path: str, values: dict[str, Any] | None = None, **headers: str) -> Any:
        given = {
            "Host": self.host,
            "Accept": "text/html",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.client.post(path, values or {}, headers=given)

    def fragment(self, path: str) -> Any:
        """Ask for a part of a page, as htmx does."""
        return self.get(path, HX_Request="true")


def visitor(dojo: Dojo, role: str | None = None) -> Visitor:
    """Return a browser that is signed in as the user of this role; without a role, one that is not signed in."""
    if role is None:
        return Visitor(dojo.host)
    user = dojo.person(role).user
    assert user is not None
    with tenant_scope(dojo.tenant):
        cookie = open_cookie_session(user, purpose="page", lifetime=timedelta(days=1), now=clock.now())
    found = Visitor(dojo.host, user)
    found.client.cookies[SESSION_COOKIE] = cookie
    return found


def text_of(response: Any) -> str:
    """Return what a page says: its text without tags, in one line."""
    body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", response.content.decode())
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def close_file(response: Any) -> None:
    """Close the file of a response. Closing the response would also close the connection to the database."""
    for close in response._resource_closers:
        close()
