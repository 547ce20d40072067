"""`python -m tatami.embedded run`: starting, restarting killed processes, and stopping."""

import http.client
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tatami.embedded.commands import parse_port
from tatami.embedded.errors import EmbeddedError
from tests.support.live_server import free_port
from tests.tatami.embedded.checkout import Checkout, eventually

pytestmark = pytest.mark.slow


def wait_for_summary(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    output = ""
    while "Superadmin" not in output:
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


def body_of(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def test_it_serves_restarts_killed_processes_and_leaves_nothing_behind(checkout: Checkout) -> None:
    port = free_port()
    first = checkout.start("run", PORT=str(port))
    assert "starts: 1" in wait_for_summary(first)
    assert body_of(port) == "tatami_app"

    # A killed child is restarted, PostgreSQL, too.
    names = [child["name"] for child in checkout.record()["children"]]
    assert {"postgres", "valkey", "web", "worker", "beat"} == set(names)
    for child in checkout.record()["children"]:
        if child["name"] in ("web", "postgres"):
            subprocess.run(["kill", "-KILL", str(child["pid"])], check=True)
    assert eventually(lambda: body_of(port) == "tatami_app")

    # After a kill of the supervisor, the next start stops its processes and does not wait.
    before = {process.pid for process in checkout.processes()}
    first.kill()
    first.wait()
    second = checkout.start("run", PORT=str(port))
    assert "starts: 2" in wait_for_summary(second)
    assert not before & {process.pid for process in checkout.processes()}
    assert body_of(port) == "tatami_app"

    second.send_signal(signal.SIGTERM)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    assert not checkout.processes()


def test_a_taken_port_is_reported_before_anything_starts(empty_checkout: Checkout) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, output = empty_checkout.finish("run", PORT=str(port))
    assert code == 1
    assert output.startswith(f"tatami: Port {port} is taken")
    assert {path.name for path in empty_checkout.data.iterdir()} == {"lock"}


def test_a_second_supervisor_on_the_same_data_is_refused(checkout: Checkout) -> None:
    with checkout.servers():
        code, output = checkout.finish("run", PORT=str(free_port()))
        assert code == 1
        assert f"already runs on {checkout.data} (process {checkout.record()['supervisor']})" in output


def test_a_failing_preparation_stops_everything(checkout: Checkout) -> None:
    (checkout.root / "manage.py").write_text("raise SystemExit('the migration is wrong')")
    code, output = checkout.finish("run", PORT=str(free_port()))
    assert code == 1
    assert "the migration is wrong" in output
    assert "prepare failed (exit code 1)" in output
    assert not checkout.processes()


def test_it_can_be_stopped_while_it_prepares(checkout: Checkout) -> None:
    (checkout.root / "manage.py").write_text("import time; print('busy', flush=True); time.sleep(60)")
    process = checkout.start("run", PORT=str(free_port()))
    assert process.stdout
    while "busy" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert not checkout.processes()


@pytest.mark.parametrize("text", ["web", "0", "65536", "-1", "8000x", "\uff18\uff10"])
def test_an_invalid_port_is_refused(text: str) -> None:
    with pytest.raises(EmbeddedError, match="not a port"):
        parse_port(text)


def test_platform_stays_a_source_root() -> None:
    """An `__init__.py` here would shadow Python's own `platform`, and pytest would not notice."""
    assert not (Path(__file__).parents[3] / "platform" / "__init__.py").exists()
