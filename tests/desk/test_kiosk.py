"""The kiosk: what its page has, and what its script relies on. A browser test uses it as people at the door do."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tatami.errors import DomainError
from tenant_apps.attendance.check_in.codes import ALPHABET, CODE_LENGTHS
from tenant_apps.desk.kiosk.texts import ALERTS, REFUSALS, TEXTS
from tenant_apps.desk.kiosk.view import FILES
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

SCRIPTS = Path(__file__).resolve().parents[2] / "tenant_apps" / "desk" / "static" / "desk" / "kiosk"


def shared(page: Any) -> dict[str, Any]:
    found = re.findall(
        r'<script id="kiosk-shared" type="application/json">(.*?)</script>', page.content.decode()
    )
    return dict(json.loads(found[0]))


def cached(worker: Any) -> dict[str, Any]:
    return dict(json.loads(re.findall(r"= (\{.*\});", worker.content.decode())[0]))


def test_the_kiosk_opens_without_a_sign_in_and_names_no_student(dojo: Dojo) -> None:
    factories.student(dojo, first_name="Mika")
    page = visitor(dojo).get("/kiosk")
    assert page.status_code == 200
    assert "Pair this kiosk" in text_of(page)
    assert "Mika" not in page.content.decode()


def test_only_the_kiosk_may_run_wasm(dojo: Dojo) -> None:
    policy = visitor(dojo).get("/kiosk")["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")
    assert "wasm" not in visitor(dojo, "admin").get("/desk")["Content-Security-Policy"]


def test_the_service_worker_may_serve_the_kiosk_alone(dojo: Dojo) -> None:
    worker = visitor(dojo).get("/kiosk/worker.js")
    assert worker["Content-Type"] == "text/javascript; charset=utf-8"
    assert worker["Service-Worker-Allowed"] == "/kiosk"


def test_every_file_that_the_service_worker_keeps_exists(dojo: Dojo) -> None:
    addresses = cached(visitor(dojo).get("/kiosk/worker.js"))["addresses"]
    assert {"/kiosk", *(f"/static/{path}" for path in FILES)} <= set(addresses)
    for address in addresses:
        response = visitor(dojo).get(address)
        assert response.status_code == 200, address
        if response.streaming:  # closing one also closes the connection to the database
            response.close()


def test_every_script_of_the_kiosk_is_kept_by_the_service_worker() -> None:
    assert {f"desk/kiosk/{path.name}" for path in SCRIPTS.glob("*.js")} <= set(FILES)


def test_a_changed_page_has_another_version_and_an_equal_one_has_not(dojo: Dojo) -> None:
    def version() -> str:
        return str(cached(visitor(dojo).get("/kiosk/worker.js"))["version"])

    first = version()
    assert version() == first
    factories.rank_system(dojo)  # its belts are on the page
    assert version() != first


def test_the_belts_of_all_ranks_are_on_the_page(dojo: Dojo) -> None:
    system = factories.rank_system(dojo)
    page = visitor(dojo).get("/kiosk").content.decode()
    drawn = [rank for rank in system["ranks"] if rank["colours"]]
    assert drawn
    for rank in drawn:
        assert f'id="rank-{rank["id"]}"' in page


def test_the_belts_of_another_dojo_are_not_on_the_page(dojo: Dojo, other_dojo: Dojo) -> None:
    system = factories.rank_system(other_dojo)
    page = visitor(dojo).get("/kiosk").content.decode()
    assert not any(rank["id"] in page for rank in system["ranks"])


def test_codes_have_the_alphabet_and_the_lengths_that_the_scanner_expects(dojo: Dojo) -> None:
    lena = factories.student(dojo)
    told = shared(visitor(dojo).get("/kiosk"))
    assert (told["alphabet"], told["shortest"], told["longest"]) == (
        ALPHABET,
        min(CODE_LENGTHS),
        max(CODE_LENGTHS),
    )
    for kind in ("rotating", "card"):
        token = factories.qr_token(dojo.admin, lena, kind=kind)
        assert re.fullmatch(f"[{ALPHABET}]+", token)
        assert len(token) in CODE_LENGTHS


NOT_AT_A_KIOSK = {
    "idempotency_key_reused",  # each scan has a nonce of its own
    "ambiguous_session",  # the kiosk asks
    "ambiguous_student",  # only users of role student
    "session_not_begun",  # only by hand
}


def test_every_refusal_of_a_scan_or_a_pairing_has_words() -> None:
    errors = [
        one for one in DomainError.__subclasses__() if one.__module__ == "tenant_apps.attendance.errors"
    ]
    assert len(errors) > len(NOT_AT_A_KIOSK)
    assert {one.code for one in errors} - NOT_AT_A_KIOSK <= REFUSALS.keys()
    assert set(ALERTS) == {"birthday", "promotion_due"}


def test_every_text_that_the_scripts_ask_for_exists_and_every_text_is_asked_for() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js"))
    asked = set(re.findall(r'\btext\("(\w+)"', source))
    chosen = {name for name in TEXTS if f'"{name}"' in source}
    by_reason = {name for name in TEXTS if name.startswith("camera_")}
    assert asked <= set(TEXTS)
    assert set(TEXTS) == asked | chosen | by_reason


def test_elements_that_the_scripts_look_up_are_on_the_page(dojo: Dojo) -> None:
    page = unescape(visitor(dojo).get("/kiosk").content.decode())
    source = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js"))
    wanted = set(re.findall(r'getElementById\("([\w-]+)"\)', source))
    assert len(wanted) > 20
    assert {name for name in wanted if f'id="{name}"' not in page} == set()


@pytest.mark.parametrize(
    ("path", "number"), [("/kiosk", 1), ("/kiosk/worker.js", 2), ("/kiosk/manifest.json", 0)]
)
def test_a_page_of_the_kiosk_has_a_fixed_number_of_statements(dojo: Dojo, path: str, number: int) -> None:
    browser = visitor(dojo)
    for preset in ("aikikai", "kodokan-men"):
        factories.rank_system(dojo, preset)
        assert count_statements(lambda: browser.get(path)) == number


def test_the_token_of_a_kiosk_reads_no_page_and_no_student(dojo: Dojo) -> None:
    device, _ = factories.paired_device(dojo)
    assert device.get("/students").status_code == 403
    for page in ("/desk", "/family"):
        assert device.get(page, Accept="text/html").status_code == 302


def test_the_token_of_a_kiosk_of_another_dojo_scans_nothing(dojo: Dojo, other_dojo: Dojo) -> None:
    device, _ = factories.paired_device(other_dojo)
    device.host = dojo.host
    token = factories.qr_token(dojo.admin, factories.student(dojo), kind="card")
    response = device.post("/attendance/scan", {"token": token, "nonce": "n1"})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "token_invalid")


def test_a_scan_whose_answer_was_lost_is_recorded_once_when_it_is_sent_again(dojo: Dojo) -> None:
    factories.single_session(dojo)
    lena = factories.student(dojo)
    device, _ = factories.paired_device(dojo)
    token = factories.qr_token(dojo.admin, lena, kind="card")
    assert device.post("/attendance/scan", {"token": token, "nonce": "n1"}).status_code == 201
    scan = {
        "token": token,
        "nonce": "n1",
        "scanned_at": "2026-06-15T16:40:00Z",
        "class_session": None,
        "seq": 7,
    }
    (again,) = device.post("/attendance/sync", {"sent_at": "2026-06-15T16:40:00Z", "scans": [scan]}).json()[
        "results"
    ]
    assert again["status"] == "recorded"
    assert len(dojo.admin.get(f"/attendance?student={lena['id']}").json()["results"]) == 1
