"""One name, the order of names, preferred names: in responses, lists, searches, papers and files."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.promotions.pdf_reading import page_texts
from tests.students.csv_files import exported_rows, import_csv, outcomes
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok

PEOPLE = (
    {"first_name": "Haruki", "last_name": "Murakami"},
    {"first_name": "Ágnes", "last_name": "Nagy"},
    {"first_name": "Zita", "last_name": "Ácsi"},
    {"first_name": "Suharto", "last_name": ""},
    {"first_name": "Björk"},
    {"first_name": "Anna", "last_name": "Zander", "name_order": "given_first"},
    {"first_name": "小平", "last_name": "邓", "name_order": "family_first"},
)


def set_order(dojo: Dojo, order: str) -> None:
    assert ok(dojo.admin.patch("/settings", {"name_order": order}))["name_order"] == order


def names(dojo: Dojo, query: str = "") -> list[str]:
    return [row["name"] for row in ok(dojo.admin.get(f"/students?{query}"))["results"]]


@pytest.mark.parametrize("person", [{"first_name": "Suharto", "last_name": ""}, {"first_name": "Suharto"}])
def test_a_person_may_have_one_name(dojo: Dojo, person: dict[str, Any]) -> None:
    who = dojo.create("/students", person)
    assert (who["name"], who["last_name"], who["name_order"]) == ("Suharto", "", None)
    assert names(dojo, "search=suharto") == ["Suharto"]
    set_order(dojo, "family_first")
    assert ok(dojo.admin.get(f"/students/{who['id']}"))["name"] == "Suharto"


def test_a_first_name_is_needed(dojo: Dojo) -> None:
    for name in ("", "  ", None):
        assert_invalid(dojo.admin.post("/students", {"first_name": name, "last_name": "Nagy"}), "first_name")
    who = factories.student(dojo)
    assert ok(dojo.admin.patch(f"/students/{who['id']}", {"last_name": ""}))["name"] == "Mika"


def test_the_order_decides_names_and_their_place_in_lists(dojo: Dojo, other_dojo: Dojo) -> None:
    for person in PEOPLE:
        dojo.create("/students", person)
        other_dojo.create("/students", person)
    given_first = ["Ágnes Nagy", "Anna Zander", "Björk", "Haruki Murakami", "Suharto", "Zita Ácsi", "邓 小平"]
    assert names(dojo) == names(dojo, "ordering=name") == given_first
    set_order(dojo, "family_first")
    family_first = [
        "Ácsi Zita",
        "Anna Zander",
        "Björk",
        "Murakami Haruki",
        "Nagy Ágnes",
        "Suharto",
        "邓 小平",
    ]
    assert names(dojo) == names(dojo, "ordering=name") == family_first
    assert names(dojo, "ordering=-name") == family_first[::-1]
    assert names(other_dojo) == given_first
    assert dojo.create("/students", {"first_name": "Taro", "last_name": "Abe"})["name"] == "Abe Taro"
    set_order(dojo, "given_first")
    assert names(dojo) == sorted(
        [*given_first, "Taro Abe"], key=[*given_first[:5], "Taro Abe", *given_first[5:]].index
    )


@pytest.mark.parametrize("order", ["given_first", "family_first"])
@pytest.mark.parametrize("words", ["agnes+nagy", "nagy+agnes", "NAGY", "Ágn", "agi", "agi+nagy"])
def test_a_search_finds_a_name_in_every_order_and_the_preferred_name(
    dojo: Dojo, order: str, words: str
) -> None:
    set_order(dojo, order)
    factories.student(dojo)
    who = dojo.create("/students", {"first_name": "Ágnes", "last_name": "Nagy", "preferred_name": "Ági"})
    assert (who["preferred_name"], who["name"]) == ("Ági", names(dojo, f"search={words}")[0])
    assert len(names(dojo, f"search={words}")) == 1
    assert [row["first_name"] for row in exported_rows(dojo.admin, f"?search={words}")] == ["Ágnes"]


def test_a_student_keeps_an_own_order_until_it_is_removed(dojo: Dojo) -> None:
    who = factories.student(dojo, name_order="family_first")
    path = f"/students/{who['id']}"
    assert who["name"] == "Sato Mika"
    for order in ("family_first", "given_first"):
        set_order(dojo, order)
        assert ok(dojo.admin.get(path))["name"] == "Sato Mika"
    assert ok(dojo.admin.patch(path, {"name_order": None}))["name"] == "Mika Sato"
    set_order(dojo, "family_first")
    assert ok(dojo.admin.get(path))["name"] == "Sato Mika"
    assert ok(dojo.admin.patch(path, {"name_order": "given_first"}))["name"] == "Mika Sato"
    for wrong in ("", "last_first", 1):
        assert_invalid(dojo.admin.patch(path, {"name_order": wrong}), "name_order")
        assert_invalid(dojo.admin.patch("/settings", {"name_order": wrong}), "name_order")
    assert_invalid(dojo.admin.patch("/settings", {"name_order": None}), "name_order")


def test_every_answer_and_paper_has_the_name_in_its_order(dojo: Dojo) -> None:
    set_order(dojo, "family_first")
    who = factories.student(dojo, preferred_name="Mi", status="active")
    factories.link_user(dojo, dojo.student, who)
    training_class = factories.training_class(dojo)
    dojo.create(f"/classes/{training_class['id']}/enrolments", {"student": who["id"]})
    session = factories.session_today(dojo, training_class)
    scanned = ok(dojo.admin.post("/attendance/scan", {"token": factories.qr_token(dojo.admin, who)}), 201)
    assert scanned["student"] == {"id": who["id"], "name": "Sato Mika", "preferred_name": "Mi", "ranks": []}
    system = factories.rank_system(dojo)
    _, event = factories.passed_exam(dojo, system, who, factories.rank_id(system, "5-kyu"))

    def get(path: str) -> Any:
        return ok(dojo.admin.get(path))

    shown = [
        scanned["attendance"]["student"]["name"],
        get(f"/students/{who['id']}")["name"],
        get("/students")["results"][0]["name"],
        get("/attendance")["results"][0]["student"]["name"],
        get(f"/students/{who['id']}/attendance")["results"][0]["student"]["name"],
        get(f"/class-sessions/{session['id']}")["roster"][0]["student"]["name"],
        get(f"/classes/{training_class['id']}/enrolments")["results"][0]["student"]["name"],
        get("/reports/attendance?from=2026-06-01&to=2026-06-30&group_by=student")["results"][0]["student"][
            "name"
        ],
        get("/rank-events")["results"][0]["student"]["name"],
        ok(dojo.student.get("/me"))["students"][0]["name"],
        ok(dojo.admin.post("/promotions/check", {"students": [who["id"]]}))["results"][0]["student"]["name"],
        get(f"/students/{who['id']}/export")["student"]["name"],
    ]
    assert shown == ["Sato Mika"] * len(shown)
    paper = dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf")
    assert "Sato Mika" in page_texts(b"".join(paper.streaming_content))[0]


def test_a_change_of_the_order_is_a_fixed_number_of_statements(dojo: Dojo) -> None:
    counts = []
    for number in (1, 8):
        for _ in range(number):
            factories.student(dojo)
        set_order(dojo, "given_first")
        with CaptureQueriesContext(connection) as captured:
            set_order(dojo, "family_first")
        counts.append(sum("students_student" in query["sql"] for query in captured))
    assert counts == [2, 2]


def test_files_have_and_take_the_names(dojo: Dojo) -> None:
    set_order(dojo, "family_first")
    text = (
        "external_id,first_name,last_name,preferred_name,name_order\n"
        "1,Suharto,,,\n2,Anna,Zander,Anni,given_first\n3,Ágnes,Nagy,,\n4,Ren,Ito,,sideways\n"
    )
    assert outcomes(import_csv(dojo.admin, text)) == ["created"] * 3 + ["failed"]
    assert names(dojo) == ["Anna Zander", "Nagy Ágnes", "Suharto"]
    assert names(dojo, "search=anni") == ["Anna Zander"]
    rows = exported_rows(dojo.admin)
    assert [(row["last_name"], row["preferred_name"], row["name_order"]) for row in rows] == [
        ("Zander", "Anni", "given_first"),
        ("Nagy", "", ""),
        ("", "", ""),
    ]
    assert outcomes(import_csv(dojo.admin, "external_id,first_name\n2,Anna-Lena\n3,Ági\n")) == ["updated"] * 2
    assert names(dojo) == ["Anna-Lena Zander", "Nagy Ági", "Suharto"]


@pytest.mark.parametrize(
    ("order", "whole", "names"),
    [
        ("given_first", "Ana Maria de Souza", ("Ana Maria", "de Souza")),
        ("given_first", "Suharto", ("Suharto", "")),
        ("given_first", "Nagy, Ágnes", ("Ágnes", "Nagy")),
        ("family_first", "Nagy Ágnes", ("Ágnes", "Nagy")),
        ("family_first", "de Souza Ana Maria", ("Ana Maria", "de Souza")),
        ("family_first", "Nguyễn Thị Minh Khai", ("Thị Minh Khai", "Nguyễn")),
        ("family_first", "Suharto", ("Suharto", "")),
        ("family_first", "Nagy, Ágnes", ("Ágnes", "Nagy")),
    ],
)
def test_a_whole_name_in_a_file_is_split_in_its_order(
    dojo: Dojo, order: str, whole: str, names: tuple[str, str]
) -> None:
    set_order(dojo, order)
    content = f'external_id,name\n1,"{whole}"\n'
    assert outcomes(import_csv(dojo.admin, content)) == ["created"]
    (who,) = ok(dojo.admin.get("/students"))["results"]
    assert (who["first_name"], who["last_name"]) == names
    assert outcomes(import_csv(dojo.admin, f'name\n"{whole}"\n')) == ["duplicate"]
    report = import_csv(dojo.admin, content)
    assert (outcomes(report), "changes" in report["rows"][0]) == (["updated"], False)


def test_the_name_order_of_a_line_goes_before_that_of_the_dojo(dojo: Dojo) -> None:
    content = "name,name_order\nNagy Ágnes,Family first\nAnna Zander,\n"
    assert outcomes(import_csv(dojo.admin, content)) == ["created"] * 2
    rows = ok(dojo.admin.get("/students?ordering=name"))["results"]
    assert [(row["name"], row["last_name"]) for row in rows] == [
        ("Anna Zander", "Zander"),
        ("Nagy Ágnes", "Nagy"),
    ]


def test_a_whole_name_finds_a_student_with_another_order_and_leaves_the_parts(dojo: Dojo) -> None:
    deng = factories.student(
        dojo, first_name="小平", last_name="邓", name_order="family_first", external_id="1"
    )
    facts = "name,kind,value,on\n邓 小平,skill,Ukemi,2026-01-01\n"
    assert outcomes(import_csv(dojo.admin, facts, "/facts/import")) == ["created"]
    assert outcomes(import_csv(dojo.admin, "name\n邓 小平\n")) == ["duplicate"]
    assert outcomes(import_csv(dojo.admin, "external_id,name,phone\n01,邓 小平,030 1\n")) == ["updated"]
    after = ok(dojo.admin.get(f"/students/{deng['id']}"))
    assert (after["first_name"], after["last_name"], after["phone"]) == ("小平", "邓", "030 1")


def test_a_preferred_name_confirms_an_id(dojo: Dojo) -> None:
    factories.student(
        dojo,
        first_name="Ágnes",
        last_name="Nagy",
        preferred_name="Ági",
        external_id="1",
        birth_date="2010-01-01",
    )
    head = "external_id,first_name,last_name,birth_date\n"
    assert outcomes(import_csv(dojo.admin, f"{head}1,Agi,Kiss,2010-01-02\n")) == ["updated"]
    assert outcomes(import_csv(dojo.admin, f"{head}1,Ren,Ito,2010-01-03\n")) == ["failed"]


def test_messages_name_people_in_the_order_of_the_dojo(dojo: Dojo) -> None:
    set_order(dojo, "family_first")
    report = import_csv(dojo.admin, "first_name,last_name,email\nÁgnes,Nagy,wrong\n")
    assert "- Line 2, Nagy Ágnes: email:" in report["letter"]


@pytest.mark.parametrize("order", ["given_first", "family_first"])
def test_imports_find_a_student_by_name_in_every_order(dojo: Dojo, order: str) -> None:
    set_order(dojo, order)
    factories.student(dojo, first_name="Martin", last_name="Thomas", preferred_name="Tom")
    thomas = factories.student(dojo, first_name="Thomas", last_name="Martin")
    factories.student(dojo, first_name="Suharto", last_name="")
    again = "first_name,last_name\nMartin,Thomas\nSuharto,\nMartin,\n"
    assert outcomes(import_csv(dojo.admin, again)) == ["duplicate", "duplicate", "created"]
    facts = "first_name,last_name,kind,value,on\nThomas,Martin,skill,Ukemi,2026-01-01\n"
    facts += "Suharto,,skill,Ukemi,2026-01-01\n"
    report = import_csv(dojo.admin, facts, "/facts/import")
    assert outcomes(report) == ["created"] * 2
    assert report["rows"][0]["student"]["id"] == thomas["id"]
