"""The audit: one entry for every successful write, added by `ApiView`.

The entry commits together with the change. It names the changed fields but never their values, and users by id, so an
erasure need not rewrite it: the app login may only insert and read entries. Of the text that people typed, only a
`reason` is kept, and only for views with `audits_reason`, because such a reason is stored nowhere else. Text about a
person is stored in that person's own rows, which an erasure reaches.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.response import Response

from tatami.api import registry
from tatami.api.filters import read_uuid
from tatami.api.request import WRITES, ApiRequest, client_address
from tatami.observability import current_request_id

MAX_FIELDS: Final = 50


def audit_request(request: ApiRequest, response: HttpResponseBase, *, with_reason: bool) -> None:
    """Add the audit entry of a successful write by an authenticated caller. Other requests get none.

    With `with_reason` the entry keeps the `reason` of the body.
    """
    if (
        request.method not in WRITES
        or not status.is_success(response.status_code)
        or not request.user.is_authenticated
    ):
        return
    body: dict[str, Any] = request.data if isinstance(request.data, dict) else {}
    match = request.resolver_match
    add_audit_entry(
        actor=request.user,
        action=f"{match.view_name if match else ''}.{request.method.lower()}",
        object_id=_object_id(request, response),
        fields=body,
        reason=str(body.get("reason") or "") if with_reason else "",
        address=client_address(request),
        now=request.now,
    )


def add_audit_entry(
    *,
    actor: Any,
    action: str,
    object_id: UUID | None,
    now: datetime,
    fields: Iterable[object] = (),
    reason: str = "",
    address: str = "",
) -> None:
    """Add one entry to the audit of the current scope: `actor` did `action` to the object `object_id`.

    If a superadmin impersonates `actor`, the entry names both. Names are stored only for devices and superadmins,
    because no row of this schema could tell them later.
    """
    impersonator = getattr(actor, "impersonator", None)
    registry.audit_model.get()._default_manager.create(
        actor=actor.pk,
        actor_name="" if isinstance(actor, get_user_model()) else str(actor)[:200],
        impersonator=impersonator.pk if impersonator else None,
        impersonator_name=str(impersonator)[:200] if impersonator else "",
        action=action,
        object=object_id,
        fields=sorted(map(str, fields))[:MAX_FIELDS],
        reason=reason[:500],
        address=address[:64],
        request_id=current_request_id() or "",
        created_at=now,
    )


def _object_id(request: ApiRequest, response: HttpResponseBase) -> UUID | None:
    """Return the id of the written object: `id` in the path, else in the response, else the last id in the path."""
    in_path = request.resolver_match.kwargs if request.resolver_match else {}
    body = response.data if isinstance(response, Response) else None
    in_response = body.get("id") if isinstance(body, dict) else None
    candidates = (in_path.get("id"), in_response, *reversed(in_path.values()))
    return next((found for found in map(_uuid, candidates) if found), None)


def _uuid(value: object) -> UUID | None:
    try:
        return read_uuid(str(value))
    except ValueError:
        return None
