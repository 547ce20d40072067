"""`Idempotency-Key`: the same write sent twice happens once, and is answered twice.

A transaction's advisory lock on the key decides between twins, not the unique row: an INSERT of the twin
would wait for the first to commit. The answer is stored in the transaction of its effect, so that neither
exists without the other. Only 2xx are stored: a refusal may be tried again.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import urlencode
from rest_framework.status import is_success

from tatami.api.request import WRITES, ApiRequest
from tatami.errors import DomainError, Invalid
from tatami.tenancy.scope import current_tenant_id

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEPT_FOR: Final = timedelta(hours=24)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = ("Content-Type", "Location")


class IdempotencyKeyReused(DomainError):
    """This Idempotency-Key was already used with another body."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(DomainError):
    """A request with this Idempotency-Key is still being answered."""

    code = "idempotency_in_progress"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write under a key. Its scope is caller, method and path, within one dojo."""

    caller: UUID
    method: str
    path: str
    key: str
    body_hash: bytes

    @classmethod
    def of(cls, request: ApiRequest) -> "Attempt | None":
        """Return the attempt that a request makes, None without a key. Raises `Invalid` for a bad key."""
        key = request.headers.get(HEADER)
        if key is None or request.method not in WRITES or not request.user.is_authenticated:
            return None
        if not _KEY.fullmatch(key):
            raise Invalid.field(HEADER, "This must be 1 to 255 visible ASCII characters.")
        return cls(request.user.pk, request.method, request.path, key, body_hash(request))

    @property
    def scope(self) -> dict[str, Any]:
        """Return the columns of the constraint `idempotent_answer_once`."""
        return {"caller": self.caller, "method": self.method, "path": self.path, "key": self.key}

    def recall(self, now: datetime) -> HttpResponse | None:
        """Return the stored answer, or None where the write is to be done; hold the key until commit.

        Needs a transaction. Raises `IdempotencyInProgress` at once for a twin, `IdempotencyKeyReused`.
        """
        if not connection.in_atomic_block:
            raise RuntimeError("an idempotent write needs a transaction")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [self.lock])
            row = cursor.fetchone()
        if row is None or not row[0]:
            raise IdempotencyInProgress
        # A statement of its own: its snapshot is younger than the lock, so it sees what the twin committed.
        rows = answers().filter(**self.scope, created_at__gt=now - KEPT_FOR)
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

    def remember(self, response: HttpResponseBase, now: datetime) -> None:
        """Store a 2xx answer in this transaction, in the place of one that has expired."""
        if not is_success(response.status_code) or not isinstance(response, HttpResponse):
            return
        answer = answers().model(
            **self.scope,
            body_hash=self.body_hash,
            status=response.status_code,
            answer=response.content,
            headers={name: response[name] for name in _KEPT_HEADERS if name in response},
            created_at=now,
        )
        answers().bulk_create(
            [answer],
            update_conflicts=True,
            unique_fields=list(self.scope),
            update_fields=["body_hash", "status", "answer", "headers", "created_at"],
        )

    @property
    def lock(self) -> int:
        """Return the number of the advisory lock that a transaction holds while it answers this key."""
        parts = (str(current_tenant_id()), str(self.caller), self.method, self.path, self.key)
        digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=8, person=b"idempotent-key")
        return int.from_bytes(digest.digest(), "big", signed=True)


def answers() -> models.QuerySet[Any]:
    """Return the stored answers of the scope in force (`settings.TATAMI_IDEMPOTENCY_MODEL`)."""
    kept: models.QuerySet[Any] = apps.get_model(settings.TATAMI_IDEMPOTENCY_MODEL)._default_manager.all()
    return kept


def body_hash(request: ApiRequest) -> bytes:
    """Return what makes two bodies the same: the query (a dry run is another request) and the content.

    Parts of a multipart body are hashed one by one: its boundary differs each time it is sent.
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
