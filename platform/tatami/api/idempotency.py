"""`Idempotency-Key`: the same write sent twice has one effect and gets the same response twice.

Concurrent requests with the same key are told apart by an advisory lock of the transaction, not by a unique row: the
INSERT of the second request would wait until the first commits. The response is stored in the transaction of its
effect, so neither exists without the other. Only 2xx responses are stored, so a refused request may be sent again.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, models
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import urlencode
from rest_framework.status import is_success

from tatami.api import registry
from tatami.api.request import WRITES, ApiRequest
from tatami.errors import DomainError, Invalid
from tatami.tenancy.scope import current_tenant_id

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
REPLAY_WINDOW: Final = timedelta(hours=24)
"""For this long after a response the same key replays it. Later the key counts as new."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_STORED_HEADERS: Final = ("Content-Type", "Location")


class IdempotencyKeyReused(DomainError):
    """This Idempotency-Key was already used with another body."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(DomainError):
    """A request with this Idempotency-Key is still in progress."""

    code = "idempotency_in_progress"


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A write with a key. Keys are distinct for each caller, method and path within one dojo."""

    caller: UUID
    method: str
    path: str
    key: str
    body_hash: bytes

    @classmethod
    def of(cls, request: ApiRequest) -> "IdempotentRequest | None":
        """Return the keyed form of a write by an authenticated caller, or `None` without a key.

        Raises `Invalid` if the key is not 1 to 255 visible ASCII characters.
        """
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None or request.method not in WRITES or not request.user.is_authenticated:
            return None
        if not _KEY.fullmatch(key):
            raise Invalid.field(HEADER, "This must be 1 to 255 visible ASCII characters.")
        return cls(request.user.pk, request.method, request.path, key, body_hash(request))

    @property
    def unique_columns(self) -> dict[str, Any]:
        """Return the columns of the constraint `idempotent_answer_once`, with their values."""
        return {"caller": self.caller, "method": self.method, "path": self.path, "key": self.key}

    def load_response(self, now: datetime) -> HttpResponse | None:
        """Lock the key until the transaction ends; return the stored response, or `None` if there is none.

        Raises `IdempotencyInProgress` at once if a concurrent request holds the lock, `IdempotencyKeyReused` if the
        key was used with another body, `RuntimeError` outside a transaction.
        """
        if not connection.in_atomic_block:
            raise RuntimeError("an idempotent write needs a transaction")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [self.lock])
            row = cursor.fetchone()
        if row is None or not row[0]:
            raise IdempotencyInProgress
        # A separate statement: its snapshot is newer than the lock, so it sees what a concurrent request committed.
        rows = stored_responses().filter(**self.unique_columns, created_at__gt=now - REPLAY_WINDOW)
        stored = rows.values("body_hash", "status", "answer", "headers").first()
        if stored is None or stored["status"] is None:
            return None
        if bytes(stored["body_hash"]) != self.body_hash:
            raise IdempotencyKeyReused
        response = HttpResponse(
            bytes(stored["answer"] or b""), status=stored["status"], headers=stored["headers"]
        )
        response[REPLAYED] = "true"
        return response

    def save_response(self, response: HttpResponseBase, now: datetime) -> None:
        """Store a 2xx response in this transaction. It replaces an expired one of the same key."""
        if not is_success(response.status_code) or not isinstance(response, HttpResponse):
            return
        stored = stored_responses().model(
            **self.unique_columns,
            body_hash=self.body_hash,
            status=response.status_code,
            answer=response.content,
            headers={name: response[name] for name in _STORED_HEADERS if name in response},
            created_at=now,
        )
        stored_responses().bulk_create(
            [stored],
            update_conflicts=True,
            unique_fields=list(self.unique_columns),
            update_fields=["body_hash", "status", "answer", "headers", "created_at"],
        )

    @property
    def lock(self) -> int:
        """Return the number of the advisory lock: a signed 64-bit hash of dojo, caller, method, path and key."""
        parts = (str(current_tenant_id()), str(self.caller), self.method, self.path, self.key)
        digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=8, person=b"idempotent-key")
        return int.from_bytes(digest.digest(), "big", signed=True)


def stored_responses() -> models.QuerySet[Any]:
    """Return the stored responses of the current scope."""
    rows: models.QuerySet[Any] = registry.idempotency_model.get()._default_manager.all()
    return rows


def body_hash(request: ApiRequest) -> bytes:
    """Return a hash of the query string and the body. The query counts: a dry run is another request.

    The parts of a multipart body are hashed one by one, because its boundary differs each time it is sent.
    """
    digest = hashlib.sha256(urlencode(sorted(request.query_params.lists()), doseq=True).encode() + b"\n")
    if (request.content_type or "").startswith("multipart/"):
        parts: Any = request.data
        for name, values in sorted(parts.lists()):
            for value in values:
                content = value.read() if hasattr(value, "read") else str(value).encode()
                if hasattr(value, "seek"):
                    value.seek(0)
                digest.update(
                    hashlib.sha256(name.encode() + b"\0" + hashlib.sha256(content).digest()).digest()
                )
    else:
        digest.update(request._request.body)
    return digest.digest()
