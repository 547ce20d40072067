"""Done-points 1 and 2 of the issue, over real HTTP: many scans at once, and uploads over a bad connection."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.ids import uuid7
from tests.attendance.desk import Desk
from tests.support.live_server import LiveServer, answer_on, cut, live_server, request

ROUNDS, AT_ONCE = 50, 32
STUDENTS, SESSIONS, BATCH = 250, 40, 500


@pytest.fixture(scope="module")
def server(desk: Desk, database_name: str) -> Iterator[LiveServer]:
    with live_server(database_name) as running:
        yield running


def test_of_32_scans_at_once_one_is_recorded_though_half_of_the_lines_break(
    desk: Desk, server: LiveServer
) -> None:
    session = desk.session()
    devices = [desk.device()[1] for _ in range(2)]
    cards = desk.cards(desk.students(ROUNDS))
    named: list[set[str]] = []
    statuses: Counter[int] = Counter()
    for card in cards:
        links = [server.connect() for _ in range(AT_ONCE)]
        for place, link in enumerate(links):
            body = {"token": card, "nonce": str(uuid7())}
            link.sendall(request(desk.host, "/attendance/scan", body, devices[place % 2].token))
        for link in links[: AT_ONCE // 2]:
            cut(link)
        answers = [answer_on(link) for link in links[AT_ONCE // 2 :]]
        for link in links[AT_ONCE // 2 :]:
            link.close()
        statuses.update(status for status, _ in answers)
        named.append({body["attendance"]["id"] for _, body in answers})
    rows = desk.rows(class_session=session.pk)
    assert len(rows) == ROUNDS
    assert set(statuses) <= {200, 201}
    assert sum(statuses.values()) == ROUNDS * AT_ONCE // 2
    assert all(len(ids) == 1 for ids in named)
    assert {str(row.pk) for row in rows} == set().union(*named)


def offline_scans(desk: Desk) -> tuple[list[dict[str, Any]], int, int]:
    """Return 10,000 scans of the last two days, how many rows they mean, and how many are to be refused."""
    now = clock.now()
    begin = now - timedelta(hours=50)
    sessions = [desk.session(begin + timedelta(hours=n), location=f"Hall {n}") for n in range(SESSIONS)]
    cards = desk.cards(desk.students(STUDENTS))
    scans: list[dict[str, Any]] = []
    for session in sessions:
        for card in cards:
            at = session.starts_at + timedelta(seconds=random.randint(-600, 1500))
            named = {"class_session": str(session.pk)} if len(scans) % 2 else {}
            scans.append({"token": card, "scanned_at": at.isoformat(), **named})
    rows = len(scans) - 200
    for scan in scans[:100]:
        scan["token"] = "not a code of ours"
    for twice, scan in zip(scans[-100:], scans[200:300], strict=True):
        twice |= {
            "token": scan["token"],
            "scanned_at": scan["scanned_at"],
            "class_session": scan.get("class_session"),
        }
    for seq, scan in enumerate(scans):
        scan |= {"nonce": str(uuid7()), "seq": seq}
    return scans, rows, 100


def test_10_000_offline_scans_arrive_over_a_line_that_breaks(desk: Desk, server: LiveServer) -> None:
    random.seed(4)
    scans, rows, refused = offline_scans(desk)
    device, caller = desk.device()
    answered: dict[str, dict[str, Any]] = {}
    first: dict[str, dict[str, Any]] = {}
    pending = scans.copy()
    uploads = 0
    while pending:
        uploads += 1
        random.shuffle(pending)
        repeats = random.sample(scans, 25)
        batch = pending[: BATCH - len(repeats)] + repeats
        random.shuffle(batch)
        body = {"sent_at": clock.now().isoformat(), "scans": batch}
        link = server.connect()
        sent = request(desk.host, "/attendance/sync", body, caller.token)
        fate = random.random()
        if fate < 0.15:  # before all of it was sent
            link.sendall(sent[: random.randrange(len(sent))])
            cut(link)
            continue
        link.sendall(sent)
        if fate < 0.3:  # before the answer
            cut(link)
            continue
        status, answer = answer_on(link)
        link.close()
        assert status == 200, answer
        assert [result["nonce"] for result in answer["results"]] == [scan["nonce"] for scan in batch]
        for result in answer["results"]:
            assert result["status"] != "retry"
            assert first.setdefault(result["nonce"], result) == result, "what was answered stays so"
            answered[result["nonce"]] = result
        pending = [scan for scan in scans if scan["nonce"] not in answered]
    assert len(answered) == len(scans)
    outcomes = Counter(result["status"] for result in answered.values())
    assert outcomes == {"recorded": rows, "already_recorded": 100, "refused": refused}
    written = desk.rows(device=device.pk)
    assert len(written) == rows
    assert len({(row.student_id, row.class_session_id) for row in written}) == rows
    named = {result["attendance"]["id"] for result in answered.values() if "attendance" in result}
    assert named == {str(row.pk) for row in written}
    assert any(row.uploaded_late for row in written)
