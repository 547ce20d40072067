"""Receiving bodies: how many at once, how many bytes, and bodies that end early."""

from contextlib import ExitStack
from io import BytesIO
from typing import Any

import pytest

from tatami.api.body_middleware import PIECE_BYTES, BodyReader
from tatami.errors import Invalid, PayloadTooLarge, ServiceUnavailable


class AskingStream:
    """A client that sends its body only after another request was tried: it is still being received then."""

    def __init__(self, ask: Any) -> None:
        self.ask = ask
        self.answers: list[str] = []

    def read(self, _size: int) -> bytes:
        try:
            self.ask()
        except ServiceUnavailable:
            self.answers.append("refused")
        else:
            self.answers.append("received")
        return b"{}"


def reader(**more: Any) -> BodyReader:
    return BodyReader(**{"most": 4, "most_per_client": 4, **more})


def receive(some: BodyReader, content: bytes = b"{}", client: str = "192.0.2.1") -> bytes:
    with some.body(BytesIO(content), len(content), client=client) as body:
        return body


@pytest.mark.parametrize("length", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES])
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_is_received_whole(length: int, is_announced: bool) -> None:
    content = b"x" * length
    with reader().body(BytesIO(content), length if is_announced else None, client="a") as body:
        assert body == content


def test_no_more_than_the_announced_length_is_read() -> None:
    stream = BytesIO(b"body and the next request")
    with reader().body(stream, 4, client="a") as body:
        assert body == b"body"
    assert stream.read() == b" and the next request"


def test_a_body_that_ends_early_is_refused() -> None:
    with pytest.raises(Invalid), reader().body(BytesIO(b"{"), 50, client="a"):
        pass


@pytest.mark.parametrize(
    ("limits", "client", "answer"),
    [
        ({"most_per_client": 1}, "192.0.2.1", "refused"),
        ({"most_per_client": 1}, "192.0.2.2", "received"),
        ({"most": 1}, "192.0.2.2", "refused"),
        ({"most": 2}, "192.0.2.1", "received"),
    ],
    ids=str,
)
def test_bodies_beyond_a_limit_are_refused_at_once(limits: Any, client: str, answer: str) -> None:
    some = reader(**limits)
    slow = AskingStream(lambda: receive(some, client=client))
    with some.body(slow, 2, client="192.0.2.1"):
        assert slow.answers == [answer]
        # The first one is received by now. That its request runs takes no place.
        assert receive(some) == b"{}"


def test_a_process_holds_a_limited_number_of_bytes() -> None:
    some = reader(max_buffered=3 * PIECE_BYTES)
    large = b"x" * (2 * PIECE_BYTES)
    with some.body(BytesIO(large), len(large), client="a"):
        with pytest.raises(ServiceUnavailable):
            receive(some, large)
        assert receive(some) == b"{}"
    assert receive(some, large) == large


def test_small_bodies_are_received_whatever_is_held() -> None:
    some = reader(max_buffered=0)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(some.body(BytesIO(b"{}"), 2, client="a"))


def test_a_body_without_a_length_that_is_too_large_is_refused() -> None:
    content = BytesIO(b"x" * (10 * 1024 * 1024 + 2))
    with pytest.raises(PayloadTooLarge), reader().body(content, None, client="a"):
        pass
