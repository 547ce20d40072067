"""The pages of a list and the links between them."""

import pytest
from django.test import Client

from tests.tatami.api.conftest import details_of, error_of


def test_a_page_has_fifty_rows(admin: Client) -> None:
    page = admin.get("/numbers").json()
    assert (page["count"], page["previous"], len(page["results"])) == (120, None, 50)
    assert page["next"] == "http://testserver/numbers?page=2"


def test_following_next_shows_every_row_once(admin: Client) -> None:
    seen: list[int] = []
    url: str | None = "/numbers?page_size=7"
    while url:
        page = admin.get(url).json()
        seen += page["results"]
        url = page["next"]
    assert seen == list(range(1, 121))


def test_links_have_the_host_of_the_request(admin: Client) -> None:
    assert (
        admin.get("/numbers", headers={"Host": "budo.example:8000"})
        .json()["next"]
        .startswith("http://budo.example:8000/")
    )


def test_page_size_is_limited_to_the_maximum(admin: Client) -> None:
    assert len(admin.get("/numbers?page_size=100000").json()["results"]) == 120


@pytest.mark.parametrize("name", ["page", "page_size"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "9" * 30, "٣", "1e2"])
def test_a_page_is_a_whole_number_of_at_least_one(admin: Client, name: str, value: str) -> None:
    assert list(details_of(admin.get("/numbers", {name: value}))) == [name]


def test_a_page_after_the_last_is_not_found(admin: Client) -> None:
    assert error_of(admin.get("/numbers?page=4")) == (404, "not_found")
