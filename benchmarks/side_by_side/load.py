"""A closed-loop HTTP/1.1 load generator: each connection sends its next request when the last one is answered.

It runs in a process of its own, so that its CPU time counts for no server, and sends to loopback only.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final, cast

HOST: Final = "127.0.0.1"
HEAD_END: Final = b"\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
EXPECTED: Final = frozenset({200, 201, 204})


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and how long. `once`: each request is sent at most once, from `offset` on (fresh inserts)."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    once: bool = False
    offset: int = 0


@dataclass(slots=True)
class Outcome:
    """What was answered. Latencies are in milliseconds, sorted."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: int = 0
    seconds: float = 0.0
    next_offset: int = 0
    first_body: bytes = b""

    @property
    def number(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Return the requests answered per second."""
        return self.number / self.seconds if self.seconds else 0.0

    @property
    def unexpected(self) -> int:
        """Return how many requests failed or were answered with an error."""
        return self.errors + sum(n for status, n in self.statuses.items() if status not in EXPECTED)

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that `share` of the requests did not exceed."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(self.number - 1, int(self.number * share))]


def http_request(method: str, path: str, host: str, token: str = "", body: bytes | None = None) -> bytes:
    """Return the bytes of a request on a connection that is kept alive."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def send(plan: Plan) -> Outcome:
    """Send a plan from a process of its own and return what was answered."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, plan).result()


def _run(plan: Plan) -> Outcome:
    return asyncio.run(_send(plan))


async def _send(plan: Plan) -> Outcome:
    loop = asyncio.get_running_loop()
    source = _Source(plan)
    outcome = Outcome()
    links = []
    for _ in range(plan.connections):
        _, link = await loop.create_connection(lambda: _Connection(source, outcome), HOST, plan.port)
        links.append(cast("_Connection", link))
    started = time.perf_counter()
    for link in links:
        link.send_next()
    await asyncio.wait([link.done for link in links], timeout=plan.seconds)
    outcome.seconds = time.perf_counter() - started
    source.stop()
    await asyncio.wait([link.done for link in links], timeout=10)
    outcome.latencies.sort()
    outcome.next_offset = source.offset
    return outcome


class _Source:
    """The requests in turn, until it is stopped or, with `once`, all were taken."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self.offset, self._stopped = plan, plan.offset, False

    def stop(self) -> None:
        self._stopped = True

    def next(self) -> bytes | None:
        if self._stopped or (self._plan.once and self.offset >= len(self._plan.requests)):
            return None
        request = self._plan.requests[self.offset % len(self._plan.requests)]
        self.offset += 1
        return request


class _Connection(asyncio.Protocol):
    def __init__(self, source: _Source, outcome: Outcome) -> None:
        self._source, self._outcome = source, outcome
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send_next(self) -> None:
        assert self._transport is not None
        request = self._source.next()
        if request is None:
            self._transport.close()
            self._finish()
            return
        self._received = b""
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(HEAD_END)
        if not separator or not _is_whole(head, body):
            return
        self._outcome.latencies.append((time.perf_counter() - self._sent_at) * 1000)
        self._outcome.statuses[int(head[9:12])] += 1
        if not self._outcome.first_body:
            self._outcome.first_body = body
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._outcome.errors += 1
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _is_whole(head: bytes, body: bytes) -> bool:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
        if line.startswith(b"transfer-encoding:"):
            return body.endswith(LAST_CHUNK)
    return True
