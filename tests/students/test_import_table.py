"""What counts as a table, and how a fault is named by its line, as an editor counts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tatami.api.renderers import escape_formulas, unescape_formulas
from tenant_apps.students.imports.table import LONGEST_CELL, MOST_COLUMNS
from tests.students.crowd import crowd
from tests.students.uploads import faults, imported, outcomes, roll, upload

HEAD = "first_name,last_name\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_whatever_program_wrote_it(dojo, separator, mark, ending):
    lines = ["First Name,LAST_NAME,email", '"Zoë","Müller","z@example.com"', ""]
    content = ending.join(lines).replace(",", separator)
    body = imported(dojo.admin, mark + content.encode())
    assert body["rows"][0]["student"]["name"] == "Zoë Müller"


def test_lines_are_counted_as_an_editor_does(dojo):
    content = (
        "first_name,last_name,medical_notes,email\n"
        'A,B,"two\nlines",a@example.com\n'
        "\n"
        "C,D,,wrong\n"
        'E,F,"three\r\nmore\r\nlines",wrong\n'
        "G,H,,g@example.com\n"
    )
    rows = imported(dojo.admin, content)["rows"]
    assert [(row["line"], row["outcome"]) for row in rows] == [
        (2, "created"),
        (5, "failed"),
        (6, "failed"),
        (9, "created"),
    ]
    assert rows[1]["errors"] == {"email": ["Enter a valid email address."]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b" \n \n", "The file is empty."),
        (b"first_name\nA\n", "The column 'last_name' is missing."),
        (b"first_name,last_name,belt\nA,B,C\n", "There is no column 'belt'."),
        (b"first_name,last_name,tenant_id\nA,B,C\n", "There is no column 'tenant_id'."),
        (b"first_name,last_name,guardian_11_name\nA,B,C\n", "There is no column 'guardian_11_name'."),
        (b"first_name,last_name,First Name\nA,B,C\n", "The column 'first_name' is there twice."),
        (b"first_name,last_name\nA,B\nM\xfcller,C\n", "Line 3: this is not UTF-8 text."),
        (b"first_name,last_name\nA,B\nC,D\0\n", "Line 3: NUL is not accepted."),
        (b'first_name,last_name\nA,B\nC,"D\n', "Line 3: unexpected end of data."),
        (b'first_name,last_name\nA,"B"x\n', "Line 2: ',' expected after '\"'."),
    ],
)
def test_what_is_no_table_is_refused_and_nothing_is_written(dojo, content, message):
    assert message in faults(upload(dojo.admin, content))
    assert dojo.admin.get("/students").json()["count"] == 0


@pytest.mark.parametrize(
    ("columns", "cells", "errors"),
    [
        ("email", "x@", {"email": ["Enter a valid email address."]}),
        ("birth_date", "1.2.2010", ["birth_date"]),
        ("birth_date", "1810-01-01", {"birth_date": ["This date is out of range."]}),
        ("status", "on_hold", {"status": ["Add a hold instead: the status follows from it."]}),
        ("status", "gone", ["status"]),
        ("phone", "1" * 41, ["phone"]),
        ("external_id", "a\x07b", {"external_id": ["Control characters are not accepted."]}),
        ("guardian_1_email", "h@example.com", {"guardian_1_name": ["This field may not be blank."]}),
        ("guardian_1_name,guardian_2_name", "Hana,Hana", {"guardian_2_name": ["This guardian is named twice."]}),
        ("rank", "1 kyu", ["rank_on", "rank_system"]),
        ("opening_attendance", "-1", {"opening_attendance": ["A whole number from 0 to 100000 is needed."]}),
        ("opening_attendance", "100001", ["opening_attendance"]),
        ("email", "a@example.com,too,many", {"line": ["This line has 5 cells, the header 3."]}),
    ],
)  # fmt: skip
def test_a_faulty_line_is_left_out_and_the_others_written(dojo, columns, cells, errors):
    body = imported(
        dojo.admin, f"first_name,last_name,{columns}\nA,B,{cells}\nC,D{',' * len(columns.split(','))}\n"
    )
    assert outcomes(body) == ["failed", "created"]
    found = body["rows"][0]["errors"]
    assert found == errors if isinstance(errors, dict) else list(found) == errors
    assert "student" not in body["rows"][0]


def test_a_cell_that_is_missing_is_a_fault(dojo):
    body = imported(dojo.admin, "first_name,last_name,email\nA,B\n")
    assert body["rows"][0]["errors"] == {"line": ["This line has 2 cells, the header 3."]}


def test_one_external_id_twice_in_a_file(dojo):
    body = imported(dojo.admin, "first_name,last_name,external_id\nA,B,1\nC,D,1\n")
    assert outcomes(body) == ["created", "failed"]
    assert body["rows"][1]["errors"] == {"external_id": ["Line 2 has this external id already."]}


def test_a_body_without_a_file_or_with_more(dojo):
    given_headers = {"Host": dojo.host, "Authorization": f"Bearer {dojo.admin.token}"}
    answer = dojo.admin.client.post("/students/import", {"other": "x"}, headers=given_headers)
    assert set(answer.json()["error"]["details"]) == {"file", "other"}
    answer = dojo.admin.post("/students/import", {"file": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_a_flag_is_true_or_false(dojo):
    answer = upload(dojo.admin, HEAD, "/students/import?dry_run=1")
    assert list(answer.json()["error"]["details"]) == ["dry_run"]


def test_a_file_of_more_than_ten_mebibytes_is_too_large(dojo):
    answer = upload(dojo.admin, HEAD + "A,B\n" * (3 * 1024 * 1024))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_large_file_may_not_have_too_many_lines(dojo):
    assert faults(upload(dojo.admin, HEAD + "A,B\n" * 20_001)) == ["More than 20000 lines: split the file."]


def test_five_thousand_lines_two_hundred_of_them_faulty(dojo, django_assert_max_num_queries):
    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    content, faulty = crowd(system=system["name"], rank=system["ranks"][0]["name"])
    assert len(faulty) == 200
    with django_assert_max_num_queries(10):
        preview = imported(dojo.admin, content, "/students/import?dry_run=true")
    assert {row["line"]: next(iter(row["errors"])) for row in preview["rows"] if row["errors"]} == faulty
    assert (preview["created"], preview["failed"]) == (4_800, 200)
    with django_assert_max_num_queries(24):
        body = imported(dojo.admin, content)
    assert [row["outcome"] for row in body["rows"]] == [row["outcome"] for row in preview["rows"]]
    assert dojo.admin.get("/students?page_size=1").json()["count"] == 4_800
    with django_assert_max_num_queries(20):
        again = imported(dojo.admin, content)
    assert (again["created"], again["updated"], again["failed"]) == (0, 4_800, 200)
    assert len(roll(dojo.admin)) == 4_800
    with django_assert_max_num_queries(28):
        imported(dojo.admin, content.replace("Hana", "Hanako").replace("Jun", "June"))
    assert {row["name"].split()[0] for row in dojo.admin.get("/guardians").json()["results"]} == {"Hanako"}


def test_a_header_of_a_million_columns_is_refused_before_anybody_looks_at_them(dojo):
    for header in ("a," * 1_000_000 + "a", HEAD.strip() + ",email" * (MOST_COLUMNS - 1)):
        assert faults(upload(dojo.admin, header + "\n")) == [f"More than {MOST_COLUMNS} columns."]


def test_columns_that_were_emptied_at_the_end_are_none(dojo):
    content = f"first_name,last_name{',' * 16_382}\nA,B{',' * 16_382}\n"
    assert outcomes(imported(dojo.admin, content)) == ["created"]


def test_a_line_of_a_million_cells_is_a_fault(dojo):
    body = imported(dojo.admin, HEAD + "A,B" + ",=" * 1_000_000 + "\nC,D\n")
    assert outcomes(body) == ["failed", "created"]
    assert body["rows"][0]["errors"] == {"line": ["This line has 1000002 cells, the header 2."]}


@pytest.mark.parametrize("blank", [" ", "\t", "\t ", "\n", '"" '])
def test_a_cell_of_a_hundred_thousand_blanks_is_too_long(dojo, blank):
    notes = "x," + blank * (100_000 // len(blank)) + "y"
    body = imported(dojo.admin, f'first_name,last_name,medical_notes\nA,B,"{notes}"\nC,D,\n')
    assert outcomes(body) == ["failed", "created"]
    assert body["rows"][0]["errors"] == {"line": [f"A cell has more than {LONGEST_CELL} characters."]}


@pytest.mark.parametrize("run", [" ", "\t", "\t ", '"', ' "', "'", ",", ", "])
def test_a_long_run_of_anything_is_guarded_and_read(run):
    text = "," + run * 100_000 + "x"
    assert unescape_formulas(text) == text
    assert unescape_formulas(escape_formulas(text)) == text


_PLAINLY = r"(^|[,;\t\r\n]\s*\"*\s*)"
_ACTIVE = "(?='*[=+\\-@＝＋－＠\t\r\n])"


@given(st.text(alphabet="=+'\"a, \t\n\u00a0", max_size=14))
def test_guards_stand_where_the_plain_rule_puts_them(text):
    """The rule as one would write it down; it is not for long cells."""
    assert escape_formulas(text) == re.sub(_PLAINLY + _ACTIVE, r"\1'", text)
    assert unescape_formulas(text) == re.sub(f"{_PLAINLY}'{_ACTIVE}", r"\1", text)


@given(st.text(alphabet="=+-@'\"a,; \t\r\n＝", max_size=12))
def test_a_guarded_cell_is_read_as_it_was(text):
    assert unescape_formulas(escape_formulas(text)) == text
    assert not escape_formulas(text).startswith(("=", "+", "-", "@", "\t", "\r"))
