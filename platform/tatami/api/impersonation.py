"""A superadmin who acts as a dojo's user: is he still one, and is he still signed in?

His session is a row of `public`, which a dojo's transaction cannot see. So he is looked for before that begins, by one
statement, and only for a token that names an actor. `BearerAuthentication` refuses a token that nobody vouched for.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bound_contextvars

from tatami import clock
from tatami.api.rules import rule_of
from tatami.tenancy.scope import platform_scope
from tatami.tokens import LONGEST_TOKEN, AccessToken, Actor, TokenError

WHERE_IT_BEGAN: Final = ("tenant-impersonations", "POST")
"""The route whose rule says who may act as somebody else."""


class Impersonation:
    """Middleware: sets `request.impersonator`, and puts him on every line that the request logs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; whether to answer it is not decided here."""
        actor = actor_of(request)
        impersonator = find_impersonator(actor) if actor else None
        if impersonator is None:
            return self.get_response(request)
        request.impersonator = impersonator  # type: ignore[attr-defined]
        with bound_contextvars(impersonatedBy=str(impersonator.pk)):
            return self.get_response(request)


def find_impersonator(actor: Actor) -> Any:
    """Return who acts, if he may still do so and the session that he acts from has not ended. One statement."""
    users: Any = get_user_model().objects
    with platform_scope():
        user = users.signed_in(user_id=actor.user_id, session_id=actor.session_id, now=clock.now())
    allowed = rule_of(*WHERE_IT_BEGAN)
    return user if user and allowed and allowed.reach_of(user.role) else None


def actor_of(request: HttpRequest) -> Actor | None:
    """Return the actor that the request's access token names. A token that is not valid here names nobody."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not _mentions_actor(text):
        return None
    try:
        return AccessToken(text).actor
    except TokenError:
        return None


def _mentions_actor(text: str) -> bool:
    """Say, without verifying anything, whether it is worth the while: nearly no token names an actor."""
    _, _, rest = text.partition(".")
    payload, _, _ = rest.partition(".")
    if not payload.isascii() or len(text) > LONGEST_TOKEN:
        return False
    try:
        return b'"act"' in urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        return False
