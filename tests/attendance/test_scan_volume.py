"""Many scans over real HTTP: concurrent scans of one card, and offline scans over connections that break."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from socket import socket
from typing import Any

import pytest

from tatami import clock
from tatami.ids import uuid7
from tests.attendance.factories import CheckInDojo
from tests.support.live_server import LiveServer, live_server, post_bytes, read_response, reset_connection
from tests.support.sizes import small_or_full

CONCURRENT_SCANS = 32
MOST_TRIES = 100
INVALID = REPEATED = 100
MAX_BATCH_SIZE = 500


@pytest.fixture(scope="module")
def server(check_in_dojo: CheckInDojo, database_name: str) -> Iterator[LiveServer]:
    with live_server(database_name) as running:
        yield running


def answer_of(server: LiveServer, link: socket, scan: bytes) -> tuple[int, Any]:
    """Return the response to a scan that was sent. As a kiosk does, send it again while the server is too busy."""
    for _ in range(MOST_TRIES):
        status, body = read_response(link)
        link.close()
        if status != 503:
            return status, body
        link = server.connect()
        link.sendall(scan)
    raise AssertionError("the server is too busy all the time")


@small_or_full("rounds", small=8, full=50)
def test_of_32_concurrent_scans_one_is_recorded_although_half_of_the_connections_break(
    check_in_dojo: CheckInDojo, server: LiveServer, rounds: int
) -> None:
    session = check_in_dojo.session()
    devices = [check_in_dojo.device()[1] for _ in range(2)]
    cards = check_in_dojo.cards(check_in_dojo.students(rounds))
    ids_by_card: list[set[str]] = []
    statuses: Counter[int] = Counter()
    for card in cards:
        links = [server.connect() for _ in range(CONCURRENT_SCANS)]
        scans = [
            post_bytes(
                check_in_dojo.host,
                "/attendance/scan",
                {"token": card, "nonce": str(uuid7())},
                devices[place % 2].token,
            )
            for place in range(CONCURRENT_SCANS)
        ]
        for link, scan in zip(links, scans, strict=True):
            link.sendall(scan)
        for link in links[: CONCURRENT_SCANS // 2]:
            reset_connection(link)
        kept = [*zip(links, scans, strict=True)][CONCURRENT_SCANS // 2 :]
        answers = [answer_of(server, link, scan) for link, scan in kept]
        statuses.update(status for status, _ in answers)
        ids_by_card.append({body["attendance"]["id"] for _, body in answers})
    rows = check_in_dojo.rows(class_session=session.pk)
    assert len(rows) == rounds
    assert set(statuses) <= {200, 201}
    assert sum(statuses.values()) == rounds * CONCURRENT_SCANS // 2
    assert all(len(ids) == 1 for ids in ids_by_card)
    assert {str(row.pk) for row in rows} == set().union(*ids_by_card)


def offline_scans(
    check_in_dojo: CheckInDojo, rng: random.Random, *, students: int, sessions: int
) -> list[dict[str, Any]]:
    """Return a scan of each student at each session of the last two days, in the order of `seq`.

    `INVALID` of them have a token that is not a code; the last `REPEATED` repeat an earlier scan with another nonce.
    """
    begin = clock.now() - timedelta(hours=50)
    held = [check_in_dojo.session(begin + timedelta(hours=n), location=f"Hall {n}") for n in range(sessions)]
    cards = check_in_dojo.cards(check_in_dojo.students(students))
    scans: list[dict[str, Any]] = []
    for session in held:
        for card in cards:
            at = session.starts_at + timedelta(seconds=rng.randint(-600, 1500))
            named = {"class_session": str(session.pk)} if len(scans) % 2 else {}
            scans.append({"token": card, "scanned_at": at.isoformat(), **named})
    for scan in scans[:INVALID]:
        scan["token"] = "not a code of ours"
    originals = scans[INVALID : INVALID + REPEATED]
    for repeated, original in zip(scans[-REPEATED:], originals, strict=True):
        repeated |= {
            "token": original["token"],
            "scanned_at": original["scanned_at"],
            "class_session": original.get("class_session"),
        }
    for seq, scan in enumerate(scans):
        scan |= {"nonce": str(uuid7()), "seq": seq}
    return scans


@pytest.mark.parametrize(
    ("students", "sessions"),
    [
        pytest.param(50, 20, id="1000 scans"),
        pytest.param(250, 40, id="10000 scans", marks=pytest.mark.volume),
    ],
)
def test_offline_scans_arrive_completely_over_connections_that_break(
    check_in_dojo: CheckInDojo, server: LiveServer, students: int, sessions: int
) -> None:
    rng = random.Random(4)
    scans = offline_scans(check_in_dojo, rng, students=students, sessions=sessions)
    recorded = len(scans) - INVALID - REPEATED
    device, caller = check_in_dojo.device()
    batch_size = min(MAX_BATCH_SIZE, len(scans) // 8)
    results: dict[str, dict[str, Any]] = {}
    pending = scans.copy()
    uploads = 0
    while pending:
        uploads += 1
        rng.shuffle(pending)
        repeats = rng.sample(scans, 25)
        batch = pending[: batch_size - len(repeats)] + repeats
        rng.shuffle(batch)
        body = {"sent_at": clock.now().isoformat(), "scans": batch}
        link = server.connect()
        sent = post_bytes(check_in_dojo.host, "/attendance/sync", body, caller.token)
        # The second upload breaks before all of it was sent, the third one before the response; later ones at random.
        chance = {2: 0.0, 3: 0.2}.get(uploads, rng.random())
        if chance < 0.15:
            link.sendall(sent[: rng.randrange(len(sent))])
            reset_connection(link)
            continue
        link.sendall(sent)
        if chance < 0.3:
            reset_connection(link)
            continue
        status, answer = read_response(link)
        link.close()
        assert status == 200, answer
        assert [result["nonce"] for result in answer["results"]] == [scan["nonce"] for scan in batch]
        for result in answer["results"]:
            assert result["status"] != "retry"
            assert results.setdefault(result["nonce"], result) == result, "a result is final"
        pending = [scan for scan in scans if scan["nonce"] not in results]
    assert len(results) == len(scans)
    outcomes = Counter(result["status"] for result in results.values())
    assert outcomes == {"recorded": recorded, "already_recorded": REPEATED, "refused": INVALID}
    rows = check_in_dojo.rows(device=device.pk)
    assert len(rows) == recorded
    assert len({(row.student_id, row.class_session_id) for row in rows}) == recorded
    attendance_ids = {result["attendance"]["id"] for result in results.values() if "attendance" in result}
    assert attendance_ids == {str(row.pk) for row in rows}
    assert any(row.uploaded_late for row in rows)
