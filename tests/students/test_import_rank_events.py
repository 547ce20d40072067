"""`POST /rank-events/import`: one event per line."""

import pytest

from tests.students.csv_files import RANK_EVENTS, file_errors, import_csv, outcomes, upload


@pytest.fixture
def kendo(dojo):
    return dojo.create("/rank-systems", {"preset": "fik-kendo"})


@pytest.fixture
def mika(dojo):
    return dojo.create(
        "/students",
        {"first_name": "Mika", "last_name": "Sató", "birth_date": "2000-01-01", "external_id": "7"},
    )


HEAD = "external_id,rank,effective_on,kind,note\n"


def history(dojo, student):
    rows = dojo.admin.get(f"/students/{student['id']}/rank-events").json()["results"]
    return [(row["rank"]["name"], row["effective_on"], row["kind"], row["note"]) for row in rows]


def test_rank_events_are_imported_once(dojo, kendo, mika):
    low, high = kendo["ranks"][:2]
    content = HEAD + f"7,{low['code']},2020-01-01,,\n7,{high['name'].upper()},2021-01-01,convert,in Lyon\n"
    preview = import_csv(dojo.admin, content, RANK_EVENTS + "?dry_run=true")
    assert outcomes(preview) == ["created", "created"]
    assert history(dojo, mika) == []
    assert import_csv(dojo.admin, content, RANK_EVENTS)["created"] == 2
    assert history(dojo, mika) == [
        (high["name"], "2021-01-01", "convert", "in Lyon"),
        (low["name"], "2020-01-01", "import", ""),
    ]
    again = import_csv(dojo.admin, content, RANK_EVENTS)
    assert (outcomes(again), again["duplicates"]) == (["duplicate", "duplicate"], 2)


@pytest.mark.parametrize("born", ["2000-01-01", ""])
def test_students_can_be_identified_by_name(dojo, kendo, mika, born):
    code = kendo["ranks"][0]["code"]
    content = f"first_name,last_name,birth_date,rank,effective_on\nMIKA,sato,{born},{code},2020-01-01\n"
    assert import_csv(dojo.admin, content, RANK_EVENTS)["rows"][0]["student"]["id"] == mika["id"]


def test_an_ambiguous_name_is_an_error(dojo, kendo, mika):
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato", "birth_date": "2001-01-01"})
    code = kendo["ranks"][0]["code"]
    content = f"first_name,last_name,birth_date,rank,effective_on\nMika,Sato,,{code},2020-01-01\n"
    assert list(import_csv(dojo.admin, content, RANK_EVENTS)["rows"][0]["errors"]) == ["first_name"]


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("8,{code},2020-01-01,,", ["external_id"]),
        ("7,sash,2020-01-01,,", ["rank"]),
        ("7,{code},yesterday,,", ["effective_on"]),
        ("7,{code},,,", ["effective_on"]),
        ("7,{code},2020-01-01,award,", ["kind"]),
        ("7,,2020-01-01,,", ["rank"]),
    ],
)
def test_a_faulty_line_is_not_written(dojo, kendo, mika, line, columns):
    code = kendo["ranks"][0]["code"]
    content = HEAD + line.format(code=code) + f"\n7,{code},2019-01-01,,\n"
    body = import_csv(dojo.admin, content, RANK_EVENTS)
    assert outcomes(body) == ["failed", "created"]
    assert list(body["rows"][0]["errors"]) == columns
    assert len(history(dojo, mika)) == 1


def test_users_cannot_import_their_own_ranks(dojo, kendo, mika):
    dojo.admin.patch(f"/users/{dojo.admin.user.pk}", {"students": [mika["id"]]})
    body = import_csv(dojo.admin, HEAD + f"7,{kendo['ranks'][0]['code']},2020-01-01,,\n", RANK_EVENTS)
    assert body["rows"][0]["errors"] == {"rank": ["You cannot change your own ranks."]}


def test_the_file_must_have_columns_that_identify_students(dojo):
    messages = file_errors(upload(dojo.admin, "rank,effective_on\n", RANK_EVENTS))
    assert messages == ["Name the students by external_id, or by first_name, last_name and birth_date."]


def test_a_rank_of_two_systems_needs_the_system(dojo, mika):
    for key in ("fik-kendo", "aikikai"):
        dojo.create("/rank-systems", {"preset": key})
    body = import_csv(dojo.admin, HEAD + "7,1-kyu,2020-01-01,,\n", RANK_EVENTS)
    assert body["rows"][0]["errors"] == {"rank_system": ["Several rank systems have this rank: name one."]}
    content = "external_id,rank_system,rank,effective_on\n7,FIK-kendo,1-kyu,2020-01-01\n"
    assert outcomes(import_csv(dojo.admin, content, RANK_EVENTS)) == ["created"]


def test_a_thousand_lines_take_a_bounded_number_of_statements(
    dojo, kendo, mika, django_assert_max_num_queries
):
    codes = [rank["code"] for rank in kendo["ranks"]]
    lines = "".join(
        f"7,{codes[n % len(codes)]},{2000 + n % 26}-{n % 12 + 1:02}-{n % 28 + 1:02},,\n" for n in range(1_000)
    )
    with django_assert_max_num_queries(18):
        body = import_csv(dojo.admin, HEAD + lines, RANK_EVENTS)
    assert body["failed"] == 0
    assert body["created"] > 500
