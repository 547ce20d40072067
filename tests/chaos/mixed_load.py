"""Twenty requests a second over all dojos, at a rate that does not fall when the answers are late; and the figures."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Any, Final

import orjson

from tests.chaos.served_fleet import ServedDojo, ServedFleet

REQUESTS_PER_SECOND: Final = 20
HEALTH_EVERY_SECONDS: Final = 0.2
PATIENCE_SECONDS: Final = 40.0
"""After this time without an answer, a client gives up. It is longer than all that is promised."""
WEIGHTS: Final = {"me": 30, "list": 20, "student": 25, "attendance": 20, "batch": 5}
NO_ANSWER: Final = 0
"""In place of a status: the connection was closed, or nothing came."""


@dataclass(frozen=True)
class Answer:
    """What became of one request. Times are seconds on the monotonic clock."""

    kind: str
    host: str
    sent_at: float
    seconds: float
    status: int
    code: str = ""
    retry_after: str = ""
    created: str = ""
    """The id that a 201 or 202 named."""

    @property
    def is_success(self) -> bool:
        """Return whether it is an answer of the 2xx kind."""
        return 200 <= self.status < 300


@dataclass
class MixedLoad:
    """Sends requests until it is told to stop, and keeps all answers."""

    fleet: ServedFleet
    rng: Random
    answers: list[Answer] = field(default_factory=list)
    health: list[Answer] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["MixedLoad"]:
        """Send requests within the block; at its end wait for the last answers."""
        for dojo in self.fleet.dojos:
            dojo.sign_in()
        sender = threading.Thread(target=self._send_all)
        prober = threading.Thread(target=self._probe)
        sender.start()
        prober.start()
        try:
            yield self
        finally:
            self._over.set()
            sender.join()
            prober.join()

    def _send_all(self) -> None:
        sent: list[Future[Answer]] = []
        begin = time.monotonic()
        with ThreadPoolExecutor(int(REQUESTS_PER_SECOND * PATIENCE_SECONDS)) as threads:
            while not self._over.wait(max(0.0, begin + len(sent) / REQUESTS_PER_SECOND - time.monotonic())):
                dojo = self.fleet.dojos[len(sent) % len(self.fleet.dojos)]
                sent.append(threads.submit(self._request(dojo)))
        self.answers = [one.result() for one in sent]

    def _request(self, dojo: ServedDojo) -> Callable[[], Answer]:
        """Return a request of a kind that chance chooses."""
        (kind,) = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if kind == "attendance" and not dojo.students:
            kind = "me"
        number = self.rng.randrange(1_000_000_000)
        if kind == "student":
            return partial(
                ask, kind, dojo, "POST", "/students", {"first_name": f"S{number}", "last_name": "Load"}
            )
        if kind == "attendance":
            body: Any = {"student": dojo.students.pop(), "class_session": dojo.class_session}
            return partial(ask, kind, dojo, "POST", "/attendance", body)
        if kind == "batch":
            body = {"students": dojo.in_batches, "award": False}
            return partial(ask, kind, dojo, "POST", "/promotions/batches", body)
        return partial(ask, kind, dojo, "GET", "/me" if kind == "me" else "/students?page_size=20")

    def _probe(self) -> None:
        while not self._over.wait(HEALTH_EVERY_SECONDS):
            self.health.append(ask("health", self.fleet.dojos[0], "GET", "/healthz"))

    # --- figures

    def longest_wait(self) -> float:
        """Return the seconds of the answer that took longest."""
        return max(answer.seconds for answer in self.answers)

    def statuses(self) -> dict[str, int]:
        """Return how many answers there were of each status and code."""
        found = Counter(f"{answer.status} {answer.code}".strip() for answer in self.answers)
        return dict(sorted(found.items()))

    def recovery_seconds(self, since: float) -> float:
        """Return how long after `since` the last request was sent that did not succeed; 0 if all did."""
        failed = [answer.sent_at for answer in self.answers if not answer.is_success]
        return max([0.0, *(sent_at - since for sent_at in failed)])

    def summary(self, name: str, since: float) -> str:
        """Return the figures as one line. `since` is when the fault ended."""
        return (
            f"{name}: {len(self.answers)} requests, longest wait {self.longest_wait():.2f} s, "
            f"longest /healthz {max(answer.seconds for answer in self.health):.2f} s, "
            f"answers {self.statuses()}, recovered after {self.recovery_seconds(since):.2f} s"
        )

    def lost_writes(self) -> list[Answer]:
        """Return the acknowledged writes that cannot be found any more."""
        paths = {"student": "/students/{}", "attendance": "/attendance/{}", "batch": "/promotions/batches/{}"}
        hosts = {dojo.host: dojo for dojo in self.fleet.dojos}
        written = [answer for answer in self.answers if answer.created]
        assert {answer.kind for answer in written} == set(paths)
        attended = {dojo.host: _attendance_ids(dojo) for dojo in self.fleet.dojos}
        return [
            answer
            for answer in written
            if (
                answer.created not in attended[answer.host]
                if answer.kind == "attendance"
                else hosts[answer.host].send("GET", paths[answer.kind].format(answer.created))[0] != 200
            )
        ]


def _attendance_ids(dojo: ServedDojo) -> set[str]:
    """Return the ids of all recorded attendances, page by page."""
    dojo.sign_in()
    found: set[str] = set()
    path: str | None = f"/attendance?page_size=200&class_session={dojo.class_session}"
    while path:
        status, page = dojo.send("GET", path)
        assert status == 200, page
        found |= {row["id"] for row in page["results"]}
        path = page["next"] and "/attendance?" + page["next"].partition("?")[2]
    return found


def ask(kind: str, dojo: ServedDojo, method: str, path: str, body: Any = None) -> Answer:
    """Send one request on a connection of its own, and return what became of it."""
    began = time.monotonic()
    status, retry_after, content = NO_ANSWER, "", b""
    link = HTTPConnection("127.0.0.1", dojo.port, timeout=PATIENCE_SECONDS)
    headers = {"Host": dojo.host, "Content-Type": "application/json"}
    if kind != "health":
        headers["Authorization"] = f"Bearer {dojo.access}"
    try:
        link.request(method, path, None if body is None else orjson.dumps(body), headers)
        response = link.getresponse()
        content = response.read()
        status, retry_after = response.status, response.headers["Retry-After"] or ""
    except (OSError, HTTPException):
        status = NO_ANSWER
    finally:
        link.close()
    seconds = time.monotonic() - began
    answered = orjson.loads(content) if content else {}
    code = answered.get("error", {}).get("code", "")
    created = answered.get("attendance", answered)["id"] if status in {201, 202} else ""
    return Answer(kind, dojo.host, began, seconds, status, code, retry_after, created)
