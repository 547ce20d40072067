"""The metrics ports of `make run`."""

import socket
from collections.abc import Iterator

import pytest

from tatami.embedded import commands
from tatami.embedded.errors import EmbeddedError, PortTaken
from tests.support.live_server import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which a server listens. The port below it is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port() + 1))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_configured_port_that_is_taken_is_refused(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for configured in (taken, taken - 1):
        monkeypatch.setenv("TATAMI_METRICS_PORT", str(configured))
        with pytest.raises(PortTaken, match=f"Port {taken} .*TATAMI_METRICS_PORT="):
            commands.choose_metrics_port(configured)


def test_without_a_configured_port_a_taken_port_turns_metrics_off(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TATAMI_METRICS_PORT", raising=False)
    assert commands.choose_metrics_port(taken) == 0
    assert "no metrics" in "".join(capsys.readouterr())


def test_port_0_turns_metrics_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TATAMI_METRICS_PORT", "0")
    assert commands.parse_port("0", "TATAMI_METRICS_PORT", commands.METRICS_PORT) == 0
    assert commands.choose_metrics_port(0) == 0


@pytest.mark.parametrize("text", ["-1", "65535", "web", "9464 "])
def test_an_invalid_port_is_refused(text: str) -> None:
    with pytest.raises(EmbeddedError, match="TATAMI_METRICS_PORT="):
        commands.parse_port(text, "TATAMI_METRICS_PORT", commands.METRICS_PORT)
