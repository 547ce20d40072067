"""Unsubscribing by the page behind the link, or by the mail program. Mail about events still arrives."""

import re
from typing import Any

import pytest

from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.addresses import address_hash, rehash_addresses
from tenant_apps.notifications.models import Address
from tests.notifications.mail_factories import award, queue_mail, send_all, states, student
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, url_path

ONE_CLICK = "application/x-www-form-urlencoded"


def unsubscribe_path(sent: Any) -> str:
    """Return the path in the List-Unsubscribe header. The text of the e-mail contains the same URL."""
    (url,) = re.findall("<(.*)>", sent.extra_headers["List-Unsubscribe"])
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent.body.endswith(f"\n-- \nNo more of these mails: {url}\n")
    assert url.startswith("http://aiki.localhost:8000/unsubscribe/")
    return url_path(url)


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return student(dojo, "Mika", email="mika@example.com")


@pytest.fixture
def link(dojo: Dojo, mika: dict[str, Any]) -> str:
    queue_mail(dojo, mika)
    return unsubscribe_path(send_all(dojo)[-1])


def test_opening_the_page_changes_nothing(dojo: Dojo, link: str) -> None:
    answer = dojo.anonymous.get(link)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = answer.content.decode()
    assert '<form method="post">' in page
    assert "Seishin Dojo" in page
    assert "mika" not in page
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("List-Unsubscribe=One-Click", ONE_CLICK),
        ("", ONE_CLICK),
        (
            '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (None, ""),
        ("{}", "application/json"),
    ],
)
def test_any_post_unsubscribes_and_can_be_repeated(
    dojo: Dojo, mika: dict[str, Any], link: str, body: str | None, content_type: str
) -> None:
    for _ in range(2):
        client = dojo.anonymous.client
        more = {"data": body, "content_type": content_type} if body is not None else {}
        answer = client.generic("POST", link, headers={"Host": dojo.host}, **more)
        assert answer.status_code == 200, answer.content
        assert "no more news" in answer.content.decode()
    queue_mail(dojo, mika)
    send_all(dojo)
    assert states(dojo)[-1] == ("mika@example.com", "skipped", "unsubscribed")


def test_unsubscribing_applies_to_queued_mail(dojo: Dojo, mika: dict[str, Any], link: str) -> None:
    queue_mail(dojo, mika)
    dojo.anonymous.post(link)
    assert len(send_all(dojo)) == 1


def test_unsubscribing_ignores_case_and_concerns_one_address(dojo: Dojo, link: str) -> None:
    dojo.anonymous.post(link)
    queue_mail(
        dojo,
        student(dojo, "M", email="MIKA@Example.com"),
        student(dojo, "Ren", email="ren@example.com"),
    )
    assert [sent.to for sent in send_all(dojo)[1:]] == [["ren@example.com"]]


def test_mail_about_events_still_arrives(dojo: Dojo, mika: dict[str, Any], link: str) -> None:
    dojo.anonymous.post(link)
    award(dojo, mika, factories.rank_id(factories.rank_system(dojo), "5-kyu"))
    assert send_all(dojo)[-1].subject == "Mika Sato: 5th kyu"


def test_a_link_is_valid_at_its_own_dojo_only(dojo: Dojo, other_dojo: Dojo, link: str) -> None:
    for send in (other_dojo.anonymous.get, other_dojo.anonymous.post):
        assert_error(send(link), 404, "not_found")
    with tenant_scope(other_dojo.tenant):
        assert not Address.objects.exists()
        there = address_hash("mika@example.com")
    with tenant_scope(dojo.tenant):
        assert address_hash("mika@example.com") != there


@pytest.mark.parametrize("change", [0, 20, 45, 63, 64, 65, 90, -1])
def test_a_link_with_a_changed_character_is_invalid(dojo: Dojo, link: str, change: int) -> None:
    path, _, code = link.rpartition("/")
    other = "A" if code[change] != "A" else "B"
    changed = list(code)
    changed[change] = other
    assert_error(dojo.anonymous.post(f"{path}/{''.join(changed)}"), 404, "not_found")


@pytest.mark.parametrize(
    "code",
    ["x", "é", "=" * 64, "A" * 64, "A" * 5_000, "%00", "..", "A" * 63, ":", "a:b", ":é", "00" * 32 + ":"],
)
def test_an_invalid_code_is_not_found(dojo: Dojo, code: str) -> None:
    for send in (dojo.anonymous.get, dojo.anonymous.post):
        assert send(f"/unsubscribe/{code}").status_code == 404


def test_a_restored_dojo_keeps_unsubscribed_addresses(dojo: Dojo) -> None:
    """It has a new id, and the hash of an address depends on the id."""
    student(dojo, "Aoi", email="Aoi@example.com")
    before, now = uuid7(), clock.now()
    with tenant_scope(dojo.tenant):
        for address in ("aoi@example.com", "gone@example.com"):
            Address.objects.create(key=address_hash(address, tenant_id=before), unsubscribed_at=now)
        for _ in range(2):
            rehash_addresses(previous_id=before, now=now)
        known = Address.objects.get(key=address_hash("aoi@example.com"))
        assert known.unsubscribed_at == now
        assert Address.objects.count() == 2
