"""Receives the body of a request before the request gets a slot, so that a slow client holds only its own thread.

A WSGI server reads a body in the thread of its request, without a time limit. The server has many more threads than
slots, and starts them when they are needed, so a thread that waits for a client costs little. One network address has
a part of them. See `docs/decisions/0032-deadlines.md`.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tatami.api.exception_mapping import NON_FIELD, error_response
from tatami.api.request import READS, client_address, network_of
from tatami.errors import DomainError, Invalid, PayloadTooLarge, ServiceUnavailable
from tatami.metrics import REFUSED

MAX_BODY_BYTES: Final = 1024 * 1024
"""The default limit of a view (`ApiView.max_body_bytes`)."""
ABSOLUTE_MAX_BODY_BYTES: Final = 10 * MAX_BODY_BYTES
"""The limit for every request, on every route."""
MAX_BUFFERED_BYTES: Final = 64 * 1024 * 1024
"""How much of all bodies a process holds. Bodies that fit into one piece are always accepted."""
PIECE_BYTES: Final = 64 * 1024


def check_body_size(request: HttpRequest, limit: int) -> None:
    """Raises `PayloadTooLarge` if the `Content-Length` is more than `limit` bytes."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if int(announced) > limit:
        raise PayloadTooLarge(gettext("The body is larger than {limit} bytes.").format(limit=limit))


class BodyReader:
    """Receives the bodies of one process. Thread-safe.

    `most` is the number of bodies that are received at once, `most_per_client` that of one network address.
    """

    def __init__(self, *, most: int, most_per_client: int, max_buffered: int = MAX_BUFFERED_BYTES) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._max_buffered = max_buffered
        self._lock = threading.Lock()
        self._reading: Counter[str] = Counter()
        self._buffered = 0

    @contextmanager
    def body(self, stream: Any, length: int | None, *, client: str) -> Iterator[bytes]:
        """Receive a body of `length` bytes (`None`: until the stream ends), and hold it within the block.

        Raises `ServiceUnavailable` if too many bodies are being received or held, `PayloadTooLarge`, and `Invalid` if
        the body ends early.
        """
        pieces: list[bytes] = []
        try:
            with self._place(client):
                self._receive(stream, length, pieces)
            content = b"".join(pieces)
            if length is not None and len(content) < length:
                raise Invalid.field(NON_FIELD, "The body ended before its Content-Length.")
            yield content
        finally:
            with self._lock:
                self._buffered -= sum(len(piece) for piece in pieces)

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        with self._lock:
            if self._reading.total() >= self._most or self._reading[client] >= self._most_per_client:
                REFUSED.labels("client" if self._reading.total() < self._most else "bodies").inc()
                raise ServiceUnavailable("Too many requests are being received. Try again shortly.")
            self._reading[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._reading[client] -= 1
                if not self._reading[client]:
                    del self._reading[client]

    def _receive(self, stream: Any, length: int | None, pieces: list[bytes]) -> None:
        left = ABSOLUTE_MAX_BODY_BYTES + 1 if length is None else length
        while left and (piece := stream.read(min(PIECE_BYTES, left))):
            left -= len(piece)
            with self._lock:
                pieces.append(piece)
                self._buffered += len(piece)
                if len(pieces) > 1 and self._buffered > self._max_buffered:
                    REFUSED.labels("bodies").inc()
                    raise ServiceUnavailable("Too many large bodies are being received. Try again shortly.")
        if length is None and not left:
            raise PayloadTooLarge(f"The body is larger than {ABSOLUTE_MAX_BODY_BYTES} bytes.")


class BodyMiddleware:
    """Receives the body, within the absolute size limit; views have lower ones."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        threads = settings.TATAMI_WEB_THREADS
        self._reader = BodyReader(most=max(1, threads // 2), most_per_client=max(1, threads * 3 // 8))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return an error response, or pass the request on with its whole body."""
        try:
            length = _length(request)
            if length == 0:
                return self.get_response(request)
            stream, client = request.META["wsgi.input"], network_of(client_address(request))
            with self._reader.body(stream, length, client=client) as body:
                request.META["CONTENT_LENGTH"] = str(len(body))
                request._stream = BytesIO(body)
                return self.get_response(request)
        except DomainError as error:
            return error_response(error, request)


def _length(request: HttpRequest) -> int | None:
    """Return the length of the body; `None` if it ends with its stream (chunked, or HTTP/2).

    Raises `Invalid` and `PayloadTooLarge`.
    """
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    if announced:
        if not re.fullmatch(r"[0-9]{1,18}", announced):
            raise Invalid.field("Content-Length", "This is not a length in bytes.")
        check_body_size(request, ABSOLUTE_MAX_BODY_BYTES)
        return int(announced)
    chunked = "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower()
    if request.method in READS and not chunked:
        return 0
    if not request.META.get("wsgi.input_terminated"):
        if chunked:
            raise Invalid.field("Content-Length", "Send the length of the body in Content-Length.")
        return 0
    return None
