"""A real SMTP server that keeps what it takes, and refuses what it is told to."""

import socket
from collections.abc import Iterator
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
TOO_MUCH = "554 5.6.0 That is no mail"
TOO_LARGE = "552 5.3.4 Message size exceeds fixed limit"


@dataclass
class Sink:
    """What the server took, and what it answers whom."""

    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    refuses: dict[str, str] = field(default_factory=dict)
    """Address → what RCPT TO is answered."""
    refuses_sender: list[str] = field(default_factory=list)
    """What the next MAIL FROMs are answered, once each."""
    largest: int = 0
    """Bytes; of a larger mail the size that MAIL FROM tells is refused. 0: of none."""
    refuses_size: str = TOO_LARGE
    refuses_data: str = ""
    hangs_up: bool = False
    """Takes a mail, and cuts the line before it says so: once."""

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
        if self.largest and sizes[0] > self.largest:
            return self.refuses_size
        if self.refuses_sender:
            return self.refuses_sender.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuses_data:
            return self.refuses_data
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients += envelope.rcpt_tos
        if self.hangs_up:
            self.hangs_up = False
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"


@contextmanager
def smtp_server() -> Iterator[Sink]:
    """Have mail sent to a server of our own."""
    sink = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)  # type: ignore[no-untyped-call]
    controller.start()  # type: ignore[no-untyped-call]
    try:
        with to_port(port):
            yield sink
    finally:
        controller.stop()  # type: ignore[no-untyped-call]


@contextmanager
def to_port(port: int) -> Iterator[None]:
    """Have mail sent to a local port, whoever listens there."""
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
