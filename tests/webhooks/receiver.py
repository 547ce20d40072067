"""A real HTTP server that receives webhooks, and a real DNS server that answers as a test tells it to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dns.message
import dns.rrset
import orjson


@dataclass
class Received:
    """One request as it arrived."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """What arrived, and how the server replies."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """The statuses of the next responses, one each; then 204."""
    location: str = ""
    drips: bool = False
    """Send a byte of the status line now and then, and never end."""
    closing: threading.Event = field(default_factory=threading.Event)
    before_reply: Callable[[Received], object] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=dojo"

    @property
    def types(self) -> list[str]:
        return [one.json["type"] for one in self.received]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived = Received({k.lower(): v for k, v in self.headers.items()}, body, self.path)
            receiver.received.append(arrived)
            receiver.before_reply(arrived)
            if receiver.drips:
                self._drip()
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _drip(self) -> None:
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not receiver.closing.wait(0.05):
                    self.wfile.write(b"x")
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1 until the end of the block."""
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class DnsServer:
    """A name server. `answers` are the A and AAAA records of each question, by turn; the last ones stay."""

    port: int = 0
    answers: list[list[str]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


@contextmanager
def dns_server(*answers: list[str]) -> Iterator[DnsServer]:
    """Run a name server on a free UDP port of 127.0.0.1. Each question for A begins the next turn of `answers`."""
    server = DnsServer(answers=list(answers))
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 0))
    server.port = link.getsockname()[1]
    current: list[str] = []

    def serve() -> None:
        nonlocal current
        while True:
            data, peer = link.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            (question,) = query.question
            kind = "A" if question.rdtype == 1 else "AAAA"
            server.questions.append(kind)
            if kind == "A":
                current = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            reply = dns.message.make_response(query)
            records = [one for one in current if (":" in one) == (kind == "AAAA")]
            if records:
                reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *records))
            link.sendto(reply.to_wire(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", server.port))
        thread.join()
        link.close()
