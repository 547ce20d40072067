"""Not wanting news: by the page behind the link, or by the mail program; word of deeds still arrives."""

import re
from typing import Any

import pytest

from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.addressing import address_hash
from tenant_apps.notifications.models import Address
from tenant_apps.notifications.restoring import know_addresses_again
from tests.notifications.mailroom import awarded, send_all, states, student, written
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import path_of, refusal

ONE_CLICK = "application/x-www-form-urlencoded"


def link_of(sent: Any) -> str:
    """Return the path behind the header of a mail, which its text names too."""
    (url,) = re.findall("<(.*)>", sent.extra_headers["List-Unsubscribe"])
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent.body.endswith(f"\n-- \nNo more of these mails: {url}\n")
    assert url.startswith("http://aiki.localhost:8000/unsubscribe/")
    return path_of(url)


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return student(dojo, "Mika", email="mika@example.com")


@pytest.fixture
def link(dojo: Dojo, mika: dict[str, Any]) -> str:
    written(dojo, mika)
    return link_of(send_all(dojo)[-1])


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
def test_a_post_unsubscribes_whoever_sends_it_and_repeated_it_is_the_same(
    dojo: Dojo, mika: dict[str, Any], link: str, body: str | None, content_type: str
) -> None:
    for _ in range(2):
        client = dojo.anonymous.client
        more = {"data": body, "content_type": content_type} if body is not None else {}
        answer = client.generic("POST", link, headers={"Host": dojo.host}, **more)
        assert answer.status_code == 200, answer.content
        assert "no more news" in answer.content.decode()
    written(dojo, mika)
    send_all(dojo)
    assert states(dojo)[-1] == ("mika@example.com", "skipped", "unsubscribed")


def test_who_unsubscribed_while_the_mail_waits_does_not_get_it(
    dojo: Dojo, mika: dict[str, Any], link: str
) -> None:
    written(dojo, mika)
    dojo.anonymous.post(link)
    assert len(send_all(dojo)) == 1


def test_another_spelling_is_the_same_address_and_another_address_is_not(dojo: Dojo, link: str) -> None:
    dojo.anonymous.post(link)
    written(
        dojo,
        student(dojo, "M", email="MIKA@Example.com"),
        student(dojo, "Ren", email="ren@example.com"),
    )
    assert [sent.to for sent in send_all(dojo)[1:]] == [["ren@example.com"]]


def test_word_of_deeds_still_arrives(dojo: Dojo, mika: dict[str, Any], link: str) -> None:
    dojo.anonymous.post(link)
    awarded(dojo, mika, factories.rank(factories.rank_system(dojo), "5-kyu"))
    assert send_all(dojo)[-1].subject == "Mika Sato: 5th kyu"


def test_a_link_is_good_at_its_dojo_only(dojo: Dojo, other_dojo: Dojo, link: str) -> None:
    for ask in (other_dojo.anonymous.get, other_dojo.anonymous.post):
        refusal(ask(link), 404, "not_found")
    with tenant_scope(other_dojo.tenant):
        assert not Address.objects.exists()
        there = address_hash("mika@example.com")
    with tenant_scope(dojo.tenant):
        assert address_hash("mika@example.com") != there


@pytest.mark.parametrize("change", [0, 20, 45, 63])
def test_a_link_with_another_letter_is_none(dojo: Dojo, link: str, change: int) -> None:
    path, _, code = link.rpartition("/")
    other = "A" if code[change] != "A" else "B"
    refusal(dojo.anonymous.post(f"{path}/{code[:change]}{other}{code[change + 1 :]}"), 404, "not_found")


@pytest.mark.parametrize("code", ["x", "é", "=" * 64, "A" * 64, "A" * 5_000, "%00", "..", "A" * 63])
def test_what_is_no_code_is_not_found(dojo: Dojo, code: str) -> None:
    for ask in (dojo.anonymous.get, dojo.anonymous.post):
        assert ask(f"/unsubscribe/{code}").status_code == 404


def test_a_dojo_that_was_restored_still_knows_who_unsubscribed(dojo: Dojo) -> None:
    """It has another id, and an address another hash."""
    student(dojo, "Aoi", email="Aoi@example.com")
    before, now = uuid7(), clock.now()
    with tenant_scope(dojo.tenant):
        for address in ("aoi@example.com", "gone@example.com"):
            Address.objects.create(key=address_hash(address, at=before), unsubscribed_at=now)
        for _ in range(2):
            know_addresses_again(previous_id=before, now=now)
        known = Address.objects.get(key=address_hash("aoi@example.com"))
        assert known.unsubscribed_at == now
        assert Address.objects.count() == 2
