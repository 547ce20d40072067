"""Where `make run` tells Prometheus of itself."""

import socket
from collections.abc import Iterator

import pytest

from tatami.embedded import run
from tatami.embedded.errors import EmbeddedError, PortTaken


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens; the one below is asked for, as web's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_somebody_asked_for_is_had_or_refused(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked in (taken, taken - 1):
        monkeypatch.setenv("TATAMI_METRICS_PORT", str(asked))
        with pytest.raises(PortTaken, match=f"Port {taken} .*TATAMI_METRICS_PORT="):
            run.free_metrics_port(asked)


def test_a_port_that_nobody_asked_for_stops_nothing(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TATAMI_METRICS_PORT", raising=False)
    assert run.free_metrics_port(taken) == 0
    assert "no metrics" in "".join(capsys.readouterr())


def test_metrics_can_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TATAMI_METRICS_PORT", "0")
    assert run.wanted_port("0", "TATAMI_METRICS_PORT", run.METRICS_PORT) == 0
    assert run.free_metrics_port(0) == 0


@pytest.mark.parametrize("text", ["-1", "65535", "web", "9464 "])
def test_what_is_no_port_is_named(text: str) -> None:
    with pytest.raises(EmbeddedError, match="TATAMI_METRICS_PORT="):
        run.wanted_port(text, "TATAMI_METRICS_PORT", run.METRICS_PORT)
