"""A real look-up, by dnspython, asked of a name server of the test's own."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from shared_apps.tenants.domain_records import DnsResolver
from shared_apps.tenants.errors import DnsAway, DnsFailing

NAME = "_tatami.www.seishin-dojo.de"


@dataclass
class NameServer:
    """Answers every question alike, or not at all."""

    texts: list[str] = field(default_factory=list)
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)
    link: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def serve(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                content, caller = self.link.recvfrom(4096)
            except TimeoutError:
                continue
            asked = dns.message.from_wire(content)
            self.asked.append(asked.question[0].name.to_text())
            answer = dns.message.make_response(asked)
            answer.flags |= dns.flags.RA
            answer.set_rcode(self.rcode)
            if self.texts:
                answer.answer.append(
                    dns.rrset.from_text(asked.question[0].name, 60, "IN", "TXT", *self.texts)
                )
            if not self.is_silent:
                self.link.sendto(answer.to_wire(), caller)

    @property
    def resolver(self) -> DnsResolver:
        return DnsResolver(nameservers=["127.0.0.1"], port=self.link.getsockname()[1], seconds=1.0)


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    server.link.bind(("127.0.0.1", 0))
    server.link.settimeout(0.1)
    over = threading.Event()
    thread = threading.Thread(target=server.serve, args=(over,))
    thread.start()
    yield server
    over.set()
    thread.join()
    server.link.close()


def test_texts_are_found_as_they_were_written(server: NameServer) -> None:
    server.texts = ['"v=spf1 -all"', '"tatami-verification=" "in two parts"', '"caf\\195\\169"']
    assert sorted(server.resolver(NAME)) == ["café", "tatami-verification=in two parts", "v=spf1 -all"]
    assert server.asked == [f"{NAME}."]


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_no_name_and_no_record_are_no_texts(server: NameServer, rcode: dns.rcode.Rcode) -> None:
    server.rcode = rcode
    assert list(server.resolver(NAME)) == []


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_cannot_tell_fails(server: NameServer, rcode: dns.rcode.Rcode) -> None:
    server.rcode = rcode
    with pytest.raises(DnsFailing):
        server.resolver(NAME)


def test_nobody_waits_longer_than_the_limit(server: NameServer) -> None:
    server.is_silent = True
    began = time.monotonic()
    with pytest.raises(DnsAway):
        server.resolver(NAME)
    assert time.monotonic() - began < 3.0


def test_without_a_server_the_dns_is_away() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(DnsAway):
        DnsResolver(nameservers=["127.0.0.1"], port=port, seconds=1.0)(NAME)
