"""No webhook reaches an address inside, whatever its URL says and whatever a name server answers."""

from ipaddress import ip_address

import pytest
from django.conf import settings

from tatami import outgoing
from tatami.outgoing import HostResolver, RequestFailed, is_reachable
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok
from tests.webhooks.hooks import log, new_webhook, send
from tests.webhooks.receiver import Receiver, dns_server

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_inside_address_is_not_reachable(address: str) -> None:
    assert not is_reachable(ip_address(address), is_https=True)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::6810:84e5", "64:ff9b::808:808"])
def test_a_public_address_is_reachable_by_https_only(address: str) -> None:
    assert is_reachable(ip_address(address), is_https=True)
    assert not is_reachable(ip_address(address), is_https=False)


@pytest.mark.parametrize(
    "url",
    [
        *(f"https://{f'[{one}]' if ':' in one else one}/" for one in INSIDE),
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "//hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://localhost/",
        "https://localhost./",
        "https://api.localhost/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://intranet/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://user@hooks.example.com/",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:port/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a\r\nX: y",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://[::1/",
        "https://" + "a" * 300 + ".com/",
        "",
        7,
        None,
    ],
)
def test_a_url_that_cannot_be_public_is_refused(dojo: Dojo, url: object) -> None:
    assert_invalid(dojo.admin.post("/webhooks", {"url": url, "events": ["*"]}), "url")
    made = new_webhook(dojo.admin, "https://hooks.example.com/")
    assert_invalid(dojo.admin.patch(f"/webhooks/{made['id']}", {"url": url}), "url")


def resolved_by(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(outgoing, "resolver", HostResolver(nameservers=["127.0.0.1"], port=port))


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["8.8.8.8", "::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
    ],
    ids=str,
)
def test_a_name_that_leads_inside_is_not_connected_to(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("it connects")

    monkeypatch.setattr(outgoing.socket, "create_connection", connect)
    with dns_server(answer) as server:
        resolved_by(monkeypatch, server.port)
        made = new_webhook(dojo.admin, "https://hooks.example.com/")
        factories.student(dojo)
        send(dojo)
    (row,) = log(dojo.admin, made)
    assert row["state"] == "queued"
    assert row["error"].startswith("inside_address")


def test_a_name_server_that_changes_its_answer_changes_nothing(
    dojo: Dojo, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is checked and used, although the second would lead elsewhere."""
    with dns_server(["127.0.0.1"], ["10.0.0.1"]) as server:
        resolved_by(monkeypatch, server.port)
        new_webhook(dojo.admin, f"http://hooks.example.com:{receiver.port}/")
        factories.student(dojo)
        send(dojo)
        assert server.questions == ["A", "AAAA"], "it asks once for each kind of address"
    (got,) = receiver.received
    assert got.headers["host"] == f"hooks.example.com:{receiver.port}"


def test_the_next_attempt_checks_the_new_answer(
    dojo: Dojo, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TATAMI_WEBHOOK_NETWORKS", ["127.0.0.1/32"])
    with dns_server(["127.0.0.1"], ["127.0.0.2"]) as server:
        resolved_by(monkeypatch, server.port)
        made = new_webhook(dojo.admin, f"http://hooks.example.com:{receiver.port}/")
        for name in "AB":
            factories.student(dojo, first_name=name)
        send(dojo)
    assert len(receiver.received) == 1
    assert log(dojo.admin, made)[0]["error"].startswith("inside_address")


def test_a_name_without_an_address_is_a_failure(dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> None:
    with dns_server([]) as server:
        resolved_by(monkeypatch, server.port)
        with pytest.raises(RequestFailed, match="no address"):
            outgoing.post("https://hooks.example.com/", b"{}", {})


def test_a_redirect_inside_is_not_followed(dojo: Dojo, receiver: Receiver) -> None:
    receiver.statuses, receiver.location = [307], "http://169.254.169.254/latest/meta-data/"
    made = new_webhook(dojo.admin, receiver.url)
    ok(dojo.admin.post(f"/webhooks/{made['id']}/test"), 202)
    send(dojo)
    assert [row["error"] for row in log(dojo.admin, made)] == ["status 307"]
