"""Look-ups by dnspython, sent to a name server of the test."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from shared_apps.tenants.domain_dns import DnsResolver
from shared_apps.tenants.errors import DnsFailure, DnsUnavailable

NAME = "_tatami.www.seishin-dojo.de"


@dataclass
class NameServer:
    """Sends the same response to every query, or none."""

    texts: list[str] = field(default_factory=list)
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    is_silent: bool = False
    queried_names: list[str] = field(default_factory=list)
    link: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def serve(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                content, caller = self.link.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(content)
            self.queried_names.append(query.question[0].name.to_text())
            response = dns.message.make_response(query)
            response.flags |= dns.flags.RA
            response.set_rcode(self.rcode)
            if self.texts:
                response.answer.append(
                    dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *self.texts)
                )
            if not self.is_silent:
                self.link.sendto(response.to_wire(), caller)

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


def test_text_records_are_returned_unchanged(server: NameServer) -> None:
    server.texts = ['"v=spf1 -all"', '"tatami-verification=" "in two parts"', '"caf\\195\\169"']
    assert sorted(server.resolver.text_records(NAME)) == [
        "café",
        "tatami-verification=in two parts",
        "v=spf1 -all",
    ]
    assert server.queried_names == [f"{NAME}."]


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_an_unknown_name_has_no_text_records(server: NameServer, rcode: dns.rcode.Rcode) -> None:
    server.rcode = rcode
    assert list(server.resolver.text_records(NAME)) == []


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_an_error_of_the_name_server_is_a_dns_failure(server: NameServer, rcode: dns.rcode.Rcode) -> None:
    server.rcode = rcode
    with pytest.raises(DnsFailure):
        server.resolver.text_records(NAME)


def test_a_look_up_ends_at_its_time_limit(server: NameServer) -> None:
    """Without the limit of one second, dnspython sends the query again every two seconds, for five seconds."""
    server.is_silent = True
    with pytest.raises(DnsUnavailable, match="lifetime expired"):
        server.resolver.text_records(NAME)
    assert len(server.queried_names) == 1


def test_without_a_name_server_the_dns_is_unavailable() -> None:
    """A socket that is connected to another port keeps its port reserved, and refuses the queries."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as refusing:
        refusing.bind(("127.0.0.1", 0))
        refusing.connect(("127.0.0.1", 9))
        port = refusing.getsockname()[1]
        with pytest.raises(DnsUnavailable):
            DnsResolver(nameservers=["127.0.0.1"], port=port, seconds=1.0).text_records(NAME)
