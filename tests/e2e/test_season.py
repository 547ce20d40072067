"""A season as an instructor walks it: classes, a closure, a moved session, rosters, codes, stripes, and a grading.

Every number that the product says is worked out again here, from the dates alone.
"""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from tests.attendance.scanning import scan
from tests.notifications.mail_factories import ADULT_BIRTH_DATE, send_all
from tests.promotions.pdf_reading import page_texts, qr_codes
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok, url_path

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 3, 16), date(2026, 6, 15)
CLOSED = (date(2026, 4, 6), date(2026, 4, 12))
MOVED_FROM, MOVED_TO = date(2026, 5, 14), date(2026, 5, 15)
WHITE_SINCE, STRIPES_ON = date(2026, 3, 1), date(2026, 5, 4)
STRIPE_DAYS, YELLOW_DAYS = 8, 15
NAMES = [
    ("Ana", "Souza"), ("Bruno", "Łukasz"), ("花子", "田中"), ("Dora", "Müller"), ("健", "佐藤"), ("Fábio", "Nunes"),
    ("Gita", "Olsen"), ("美香", "鈴木"), ("Inês", "Prado"), ("João", "Quirós"), ("Kim", "Ryan"), ("Lea", "Şahin"),
]  # fmt: skip

GRADES: dict[str, Any] = {
    "format": 1,
    "name": "Our grades",
    "art": "Aikido",
    "source": "Our handbook",
    "confidence": "C",
    "ranks": [
        {"code": "white", "name": "White"},
        {"code": "white-1", "name": "White, 1st stripe", "kind": "sub_rank"},
        {"code": "yellow", "name": "Yellow", "native_name": "黄帯"},
    ],
    "steps": [
        {"from": "white", "to": "white-1", "paths": [
            {"name": "training", "criteria": [{"kind": "attendance_count", "n": STRIPE_DAYS, "unit": "day"}]}
        ]},
        {"from": "white", "to": "yellow", "paths": [
            {"name": "training", "criteria": [
                {"kind": "time_in_rank", "months": 3},
                {"kind": "attendance_count", "n": YELLOW_DAYS, "unit": "day"},
                {"kind": "sub_ranks", "n": 1},
            ]}
        ]},
    ],
}  # fmt: skip


# --- what is true, from the dates alone -------------------------------------------------------------------------


def training_days() -> list[date]:
    """Mondays and Thursdays of the season, without the closure, with one Thursday on the Friday after it."""
    season = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    planned = [day for day in season if day.weekday() in {0, 3} and not CLOSED[0] <= day <= CLOSED[1]]
    return sorted(MOVED_TO if day == MOVED_FROM else day for day in planned)


def came(student: int, day: date) -> bool:
    """Whether a student came on a day: the first always, each of the others less often than the one before."""
    return (training_days().index(day) * 5 + student * 7) % len(NAMES) >= student


def days_until(student: int, last: date) -> int:
    return sum(came(student, day) for day in training_days() if WHITE_SINCE < day <= last)


# --- the walk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def season(dojo: Dojo) -> dict[str, Any]:
    """A dojo with a class and twelve white belts, who are enrolled in it."""
    ok(dojo.admin.patch("/settings", {"certificate_number": "S-{year}-{number:3}"}))
    art = factories.discipline(dojo)
    system = dojo.create("/rank-systems", {**GRADES, "discipline": art["id"]})
    weekly = {"weekdays": ["mo", "th"], "start_time": "18:30", "duration_minutes": 90, "from": str(FIRST)}
    group = factories.training_class(dojo, recurrence=weekly, discipline=art["id"])
    people = []
    for number, (first, last) in enumerate(NAMES):
        who = factories.student(
            dojo,
            first_name=first,
            last_name=last,
            birth_date=ADULT_BIRTH_DATE,
            email=f"s{number}@example.com",
            licence_number=f"L-{number}",
            joined_on=str(WHITE_SINCE),
        )
        factories.rank_event(dojo, who, factories.rank_id(system, "white"), str(WHITE_SINCE))
        # The record is complete: there was no training since white before the first class.
        factories.fact(dojo, who, "opening_attendance", 0, str(FIRST), rank_system=system["id"])
        ok(
            dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": who["id"], "from": str(FIRST)}),
            201,
        )
        people.append(who)
    return {"class": group, "system": system, "people": people}


def sessions_of(dojo: Dojo, group: dict[str, Any]) -> list[dict[str, Any]]:
    query = {"class": group["id"], "from": str(FIRST), "to": str(LAST), "page_size": "200"}
    return factories.list_sessions(dojo, **query)


def keep_attendance(dojo: Dojo, season: dict[str, Any]) -> None:
    """Close a week, move a session, mark the rosters of the past, and scan the codes of today."""
    dojo.create(
        "/closures", {"from": str(CLOSED[0]), "until": str(CLOSED[1]), "classes": [season["class"]["id"]]}
    )
    sessions = sessions_of(dojo, season["class"])
    (moved,) = (one for one in sessions if one["starts_at"].startswith(str(MOVED_FROM)))
    ok(dojo.instructor.patch(f"/class-sessions/{moved['id']}", {"starts_at": f"{MOVED_TO}T18:30:00+02:00"}))
    held = [one for one in sessions_of(dojo, season["class"]) if one["status"] != "cancelled"]
    assert [one["starts_at"][:10] for one in held] == [str(day) for day in training_days()]
    for session in held:
        day = date.fromisoformat(session["starts_at"][:10])
        present = [who for number, who in enumerate(season["people"]) if came(number, day)]
        if day == LAST:
            for who in present:
                token = factories.qr_token(dojo.admin, who)
                assert ok(scan(dojo.instructor, token, nonce=f"n-{who['id']}"), 201)["status"] == "recorded"
        else:
            entries = [{"student": who["id"], "state": "present"} for who in present]
            ok(dojo.instructor.put(f"/class-sessions/{session['id']}/roster", {"entries": entries}))


def check(dojo: Dojo, season: dict[str, Any], target: str, as_of: date) -> list[dict[str, Any]]:
    """Return the check results of all students, in their order."""
    ids = [who["id"] for who in season["people"]]
    rank = factories.rank_id(season["system"], target)
    body = {"students": ids, "target_rank": rank, "as_of": str(as_of)}
    results = ok(dojo.instructor.post("/promotions/check", body))["results"]
    return sorted(results, key=lambda one: ids.index(one["student"]["id"]))


def test_a_season_from_the_first_class_to_the_report_to_the_federation(
    dojo: Dojo, season: dict[str, Any]
) -> None:
    people, system = season["people"], season["system"]
    keep_attendance(dojo, season)

    # The report of attendance counts each day, and the whole.
    query = f"from={FIRST}&to={LAST}&group_by=day"
    rows = ok(dojo.assistant.get(f"/reports/attendance?{query}"))["results"]
    by_day = {day: sum(came(number, day) for number in range(len(people))) for day in training_days()}
    assert {row["day"]: row["attendances"] for row in rows} == {
        str(day): number for day, number in by_day.items() if number
    }

    # Stripes of May.
    striped = set()
    for number, result in enumerate(check(dojo, season, "white-1", STRIPES_ON)):
        (criterion,) = result["criteria"]
        done = days_until(number, STRIPES_ON)
        assert (criterion["have"], criterion["need"]) == (done, STRIPE_DAYS)
        assert (result["status"] == "eligible") == (done >= STRIPE_DAYS)
        if done >= STRIPE_DAYS:
            stripe = {"student": people[number]["id"], "target_rank": factories.rank_id(system, "white-1")}
            ok(dojo.instructor.post("/promotions", {**stripe, "effective_on": str(STRIPES_ON)}), 201)
            striped.add(number)
    assert 0 < len(striped) < len(people)

    # The grading: all twelve are invited; who has the days and the stripe is eligible.
    ready = {n for n in striped if days_until(n, LAST) >= YELLOW_DAYS}
    assert 0 < len(ready) < len(people)
    exam = factories.exam(
        dojo, system, str(LAST), location="Main hall", guest_examiners=["森 健二", "Ann Lee"]
    )
    path, yellow = f"/exams/{exam['id']}", factories.rank_id(system, "yellow")
    wanted = [{"student": who["id"], "target_rank": yellow} for who in people]
    invited = ok(dojo.instructor.post(f"{path}/candidates", {"candidates": wanted}), 201)["results"]
    number_of = {who["id"]: number for number, who in enumerate(people)}
    status = {number_of[one["student"]["id"]]: one["eligibility"]["status"] for one in invited}
    assert {n for n, found in status.items() if found == "eligible"} == ready
    for number, result in enumerate(check(dojo, season, "yellow", LAST)):
        have = {one["kind"]: one["have"] for one in result["criteria"]}
        assert have["attendance_count"] == days_until(number, LAST)
        assert have["sub_ranks"] == (number in striped)

    # One of those who are not ready passes with a reason; one is absent, the others fail.
    excused, absent, *failed = sorted(set(range(len(people))) - ready)
    outcome = (
        dict.fromkeys({*ready, excused}, "passed") | {absent: "absent"} | dict.fromkeys(failed, "failed")
    )
    results = [
        {
            "candidate": one["id"],
            "outcome": outcome[number_of[one["student"]["id"]]],
            **({"override_reason": "Injured in May"} if number_of[one["student"]["id"]] == excused else {}),
        }
        for one in invited
    ]
    ok(dojo.instructor.post(f"{path}/results", {"results": results}))
    passed = {*ready, excused}
    assert len(ok(dojo.instructor.post(f"{path}/finish"))["rank_events"]) == len(passed)

    # Certificates: one page each, in both scripts, with the numbers that follow those of the stripes.
    pdf = dojo.admin.get(f"{path}/certificates.pdf").getvalue()
    pages = page_texts(pdf)
    names = {number: people[number]["name"] for number in range(len(people))}
    assert len(pages) == len(passed)
    for number in passed:
        (page,) = (page for page in pages if names[number] in page)
        for words in ("黄帯", "15 June 2026", "森 健二", "Ann Lee", f"L-{number}"):
            assert words in page
    # Stripes are quiet: they have no certificates, so no numbers.
    expected = {f"S-2026-{n:03d}" for n in range(1, len(passed) + 1)}
    assert {next(one for one in expected if one in page) for page in pages} == expected
    for url in qr_codes(pdf):
        assert ok(dojo.anonymous.get(url_path(url)))["status"] == "genuine"

    # Each who passed has a mail with the certificate.
    mails = [one for one in send_all(dojo) if "Yellow" in one.body and one.attachments]
    assert sorted(one.to[0] for one in mails) == sorted(f"s{number}@example.com" for number in passed)

    # The report to the federation.
    answer = dojo.assistant.get(f"{path}/federation-report?format=csv")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert {line["licence_number"]: line["outcome"] for line in lines} == {
        f"L-{number}": found for number, found in outcome.items()
    }
    for line in lines:
        number = int(line["licence_number"].removeprefix("L-"))
        assert line["name"] == names[number]
        assert line["rank_before"] == ("White, 1st stripe" if number in striped else "White")
        assert (line["rank_awarded"], line["awarded_on"]) == (
            ("Yellow", str(LAST)) if number in passed else ("", "")
        )
    assert {line["certificate_number"] for line in lines if line["certificate_number"]} == expected
    report = " ".join(page_texts(dojo.assistant.get(f"{path}/federation-report.pdf").content))
    counts = f"12 · Passed: {len(passed)} · Failed: {len(failed)} · Absent: 1"
    assert counts in report
