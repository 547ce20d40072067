"""Who changed what, why and from where: one row for every write that succeeded, made by the frame of all views.

The row commits with the deed. It names fields, never their values, and a user by his id, so that an erasure need not
rewrite history: the app login may only add and read rows. Of what people typed a `reason` is kept, and that only for
views that ask for it (`audits_reason`), because nothing else would keep it. What is said about a person stands in rows
of her own, which an erasure reaches.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.response import Response

from tatami.api.filters import read_uuid
from tatami.api.request import WRITES, ApiRequest, caller_address
from tatami.observability import current_request_id

MOST_FIELDS: Final = 50


def write_down(request: ApiRequest, response: HttpResponseBase, *, with_reason: bool) -> None:
    """Add the audit row of a request that changed something, `with_reason` as it was given; of any other nothing."""
    if (
        request.method not in WRITES
        or not status.is_success(response.status_code)
        or not request.user.is_authenticated
    ):
        return
    body: dict[str, Any] = request.data if isinstance(request.data, dict) else {}
    match = request.resolver_match
    record(
        actor=request.user,
        action=f"{match.view_name if match else ''}.{request.method.lower()}",
        object_id=_object_id(request, response),
        fields=body,
        reason=str(body.get("reason") or "") if with_reason else "",
        address=caller_address(request),
        now=request.now,
    )


def record(
    *,
    actor: Any,
    action: str,
    object_id: UUID | None,
    now: datetime,
    fields: Iterable[object] = (),
    reason: str = "",
    address: str = "",
) -> None:
    """Add one row to the audit of the scope in force: `actor` did it, or the superadmin who acts as him.

    The name is kept of whom no row here could tell it later: a device, and the superadmin.
    """
    impersonator = getattr(actor, "impersonator", None)
    rows: Any = apps.get_model(settings.TATAMI_AUDIT_MODEL)._default_manager
    rows.create(
        actor=actor.pk,
        actor_name="" if isinstance(actor, get_user_model()) else str(actor)[:200],
        impersonator=impersonator.pk if impersonator else None,
        impersonator_name=str(impersonator)[:200] if impersonator else "",
        action=action,
        object=object_id,
        fields=sorted(map(str, fields))[:MOST_FIELDS],
        reason=reason[:500],
        address=address[:64],
        request_id=current_request_id() or "",
        created_at=now,
    )


def _object_id(request: ApiRequest, response: HttpResponseBase) -> UUID | None:
    """Return what was written: the path's `id`, what was made, or the last object that the path names."""
    named = request.resolver_match.kwargs if request.resolver_match else {}
    answer = response.data if isinstance(response, Response) else None
    made = answer.get("id") if isinstance(answer, dict) else None
    candidates = (named.get("id"), made, *reversed(named.values()))
    return next((found for found in map(_uuid, candidates) if found), None)


def _uuid(value: object) -> UUID | None:
    try:
        return read_uuid(str(value))
    except ValueError:
        return None
