"""A real SMTP server in a thread. It records the e-mails it accepts, and refuses what a test tells it to."""

import asyncio
import socket
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.test import override_settings

NO_SUCH_USER = "550 5.1.1 No such user here"
GREYLISTED = "451 4.7.1 Greylisted, try again later"
INVALID_CONTENT = "554 5.6.0 That is no mail"
TOO_LARGE = "552 5.3.4 Message size exceeds fixed limit"


@dataclass
class RecordingSmtpServer:
    """The handler of the server: what it accepted, and how it replies."""

    taken: list[EmailMessage] = field(default_factory=list)
    """The accepted e-mails."""
    recipients: list[str] = field(default_factory=list)
    """The envelope recipients of the accepted e-mails."""
    connections: int = 0
    recipient_replies: dict[str, str] = field(default_factory=dict)
    """Address → the reply to its RCPT TO."""
    sender_replies: list[str] = field(default_factory=list)
    """The replies to the next MAIL FROM commands, one each."""
    max_size: int = 0
    """In bytes. A MAIL FROM that announces more gets `size_reply`. 0: no limit."""
    size_reply: str = TOO_LARGE
    data_reply: str = ""
    """The reply to every DATA, if it is not empty."""
    disconnects_once: bool = False
    """Accept the next e-mail, and close the connection before replying."""

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        sizes = [int(one.removeprefix("SIZE=")) for one in options if one.startswith("SIZE=")]
        if self.max_size and sizes[0] > self.max_size:
            return self.size_reply
        if self.sender_replies:
            return self.sender_replies.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.recipient_replies:
            return self.recipient_replies[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_reply:
            return self.data_reply
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients += envelope.rcpt_tos
        if self.disconnects_once:
            self.disconnects_once = False
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"


class _Controller(Controller):  # type: ignore[misc]
    """Listens on a socket that is already bound, so that no other process can take its port in between."""

    def __init__(self, handler: RecordingSmtpServer, bound: socket.socket) -> None:
        self._bound = bound
        hostname, port = bound.getsockname()
        super().__init__(handler, hostname=hostname, port=port)

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


@contextmanager
def smtp_server() -> Iterator[RecordingSmtpServer]:
    """Start a server, and let Django send to it."""
    handler = RecordingSmtpServer()
    with bound_socket() as bound:
        controller = _Controller(handler, bound)
        controller.start()
        try:
            with to_port(controller.port):
                yield handler
        finally:
            controller.stop()


@contextmanager
def bound_socket() -> Iterator[socket.socket]:
    """Bind a free local port. Connections to it are refused until something listens on the socket."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@contextmanager
def to_port(port: int) -> Iterator[None]:
    """Let Django send to a local port."""
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        EMAIL_HOST_USER="",
        EMAIL_HOST_PASSWORD="",
        EMAIL_USE_TLS=False,
        EMAIL_USE_SSL=False,
        EMAIL_TIMEOUT=5,
    ):
        yield


@contextmanager
def unavailable_server() -> Iterator[None]:
    """Let Django send to a port that refuses connections."""
    with bound_socket() as bound, to_port(bound.getsockname()[1]):
        yield
