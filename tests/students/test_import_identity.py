"""Who is who in an import: guardians, twins, ids, archived students; and the report on it."""

from typing import Any

import pytest

from tests.students.csv_files import exported_rows, import_csv, outcomes

DRY = "/students/import?dry_run=true"
GUARDIANS = "first_name,last_name,guardian_1_name,guardian_1_email,guardian_1_phone,guardian_1_relation\n"


def guardians(dojo: Any) -> list[tuple[str, str, str]]:
    rows = dojo.admin.get("/guardians").json()["results"]
    return sorted((row["name"], row["email"], row["phone"]) for row in rows)


def students(dojo: Any, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    rows: list[dict[str, Any]] = dojo.admin.get(f"/students?{text}").json()["results"]
    return rows


def both(dojo: Any, content: str, query: str = "") -> Any:
    """Import a file after a dry run with the same report, and return the report."""
    path = f"/students/import?{query}"
    preview = import_csv(dojo.admin, content, f"{path}&dry_run=true")
    report = import_csv(dojo.admin, content, path)
    for before, after in zip(preview["rows"], report["rows"], strict=True):
        assert {**after, "student": None} == {**before, "student": None}
    return report


# --- guardians ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phone", ["000", "0-00", "0000000", "999999", "1234567", "0123456789", "+49", "none", "12 12 12"]
)
def test_a_number_that_no_one_has_does_not_make_two_people_one(dojo, phone):
    content = GUARDIANS + (
        f"Ana,Silva,Maria Silva,maria.a@example.com,{phone},mother\n"
        f"Bia,Souza,Maria Silva,maria.b@example.com,{phone},mother\n"
        f"Caio,Lima,Maria Silva,,{phone},mother\n"
    )
    report = both(dojo, content)
    assert outcomes(report) == ["created"] * 3
    assert not [row for row in report["rows"] if "links" in row or "changes" in row]
    assert guardians(dojo) == [
        ("Maria Silva", "", phone),
        ("Maria Silva", "maria.a@example.com", phone),
        ("Maria Silva", "maria.b@example.com", phone),
    ]


def test_a_later_family_with_the_same_placeholder_stays_apart(dojo):
    both(dojo, GUARDIANS + "Ana,Silva,Maria Silva,maria.a@example.com,000,mother\n")
    report = both(dojo, GUARDIANS + "Bia,Souza,Maria Silva,,0-00,mother\n")
    assert "no address or phone number" in report["rows"][0]["warnings"]["guardian_1_name"][0]
    assert guardians(dojo) == [("Maria Silva", "", "0-00"), ("Maria Silva", "maria.a@example.com", "000")]


def test_one_number_and_two_addresses_are_two_people(dojo):
    content = GUARDIANS + (
        "Ana,Silva,Maria Silva,maria.a@example.com,+351 912 345 678,mother\n"
        "Bia,Souza,Maria Silva,maria.b@example.com,+351 912 345 678,mother\n"
    )
    report = both(dojo, content)
    assert report["rows"][1]["warnings"] == {
        "guardian_1_name": [
            "Another guardian is also named Maria Silva, but no address or phone number shows that they are the same "
            "person: they are kept apart."
        ]
    }
    assert len(guardians(dojo)) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("h@example.com,", "H@EXAMPLE.com,"),
        (",+49 170 1234568", ",0049-170-1234568"),
        ("h@example.com,030 123458", ",030/123458"),
        (",030 123458", "h@example.com,030 123458"),
        ("h@example.com,030 123458", "h@example.com,030 999888"),
    ],
)
def test_evidence_that_is_not_contradicted_makes_siblings_share_a_guardian(dojo, first, second):
    content = GUARDIANS + f"Mika,Sato,Hana Sato,{first},mother\nRen,Sato,HANA  SATÓ,{second},mother\n"
    report = both(dojo, content)
    assert report["rows"][1]["links"] == [
        {"column": "guardian_1_name", "guardian": {"name": "Hana Sato"}, "line": 2}
    ]
    assert [name for name, _, _ in guardians(dojo)] == ["Hana Sato"]
    mika, ren = students(dojo, ordering="name")
    assert mika["guardians"][0]["id"] == ren["guardians"][0]["id"]


def test_a_link_with_a_guardian_of_the_dojo_and_each_overwritten_value_are_listed(dojo):
    both(dojo, GUARDIANS + "Mika,Sato,Hana Sato,h@example.com,030 123458,mother\n")
    hana = dojo.admin.get("/guardians").json()["results"][0]["id"]
    report = both(dojo, GUARDIANS + "Ren,Sato,Hana Sato,h@example.com,030 999888,mother\n")
    row = report["rows"][0]
    assert row["links"] == [{"column": "guardian_1_name", "guardian": {"id": hana, "name": "Hana Sato"}}]
    assert row["changes"] == [{"column": "guardian_1_phone", "from": "030 123458", "to": "030 999888"}]
    assert guardians(dojo) == [("Hana Sato", "h@example.com", "030 999888")]


HOUSEHOLD = (
    "external_id,first_name,last_name,guardian_1_name,guardian_1_phone,guardian_1_relation,"
    "guardian_2_name,guardian_2_phone,guardian_2_relation\n"
)


def test_father_and_grandfather_of_one_name_and_landline_stay_two(dojo):
    content = HOUSEHOLD + (
        "1,Ana,Silva,José Silva,21 123 4568,father,José Silva,21 123 4568,grandfather\n"
        "2,Rui,Silva,José Silva,21 123 4568,grandfather,,,\n"
        "3,Eva,Silva,José Silva,21 123 4568,father,,,\n"
    )
    both(dojo, content)
    assert guardians(dojo) == [("José Silva", "", "21 123 4568")] * 2
    ana, eva, rui = students(dojo, ordering="name")
    father, grandfather = (one["id"] for one in ana["guardians"])
    assert [one["id"] for one in rui["guardians"]] == [grandfather]
    assert [one["id"] for one in eva["guardians"]] == [father]
    before = exported_rows(dojo.admin)
    assert outcomes(both(dojo, content)) == ["updated"] * 3
    assert (exported_rows(dojo.admin), len(guardians(dojo))) == (before, 2)


def test_one_guardian_with_and_without_a_relation_may_be_named_twice(dojo):
    report = both(dojo, HOUSEHOLD + "1,Ana,Silva,José Silva,21 123 4568,father,José Silva,21 123 4568,\n")
    assert report["rows"][0]["warnings"] == {
        "guardian_2_name": ["This guardian may be named twice: one of both has no relation."]
    }
    before = exported_rows(dojo.admin)
    content = b"".join(dojo.admin.get("/students/export").streaming_content)
    assert outcomes(both(dojo, content)) == ["updated"]  # type: ignore[arg-type]
    assert exported_rows(dojo.admin) == before


def test_the_guardian_of_the_student_is_updated_and_the_line_says_so(dojo):
    both(dojo, "external_id," + GUARDIANS + "1,Mika,Sato,Hana Sato,h@example.com,000,mother\n")
    hana = students(dojo)[0]["guardians"][0]["id"]
    report = both(dojo, "external_id," + GUARDIANS + "1,Mika,Sato,Hana Sato,new@example.com,,\n")
    assert report["rows"][0]["changes"] == [
        {"column": "guardian_1_email", "from": "h@example.com", "to": "new@example.com"}
    ]
    assert students(dojo)[0]["guardians"] == [
        {"id": hana, "name": "Hana Sato", "email": "new@example.com", "phone": "000", "relation": "mother"}
    ]


def test_a_guardian_who_is_no_longer_listed_is_named(dojo):
    both(dojo, "external_id," + GUARDIANS + "1,Mika,Sato,Hana Sato,h@example.com,,mother\n")
    report = both(dojo, "external_id," + GUARDIANS + "1,Mika,Sato,Jun Sato,j@example.com,,father\n")
    assert report["rows"][0]["changes"] == [{"column": "guardians", "from": "Hana Sato", "to": ""}]


# --- ids and twins ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "given"), [("0001", "1"), ("007", "7"), ("1", "0001"), ("000120", "0120")]
)
def test_an_id_that_lost_zeros_is_the_same_person_with_a_warning(dojo, stored, given):
    head = "external_id,first_name,last_name,phone\n"
    both(dojo, f"{head}{stored},Mika,Sato,\n{stored}9,Ren,Ito,\n")
    report = both(dojo, f"{head}{given},Mika,Sato,030 1\n")
    row = report["rows"][0]
    assert (row["outcome"], row["student"]["name"]) == ("updated", "Mika Sato")
    assert row["warnings"] == {"external_id": [f"The id {given} was read as {stored}, the id of Mika Sato."]}
    assert "changes" not in row
    found = {row["external_id"]: row["phone"] for row in students(dojo)}
    assert found == {stored: "030 1", f"{stored}9": ""}


def test_an_id_that_lost_zeros_does_not_overwrite_another_person(dojo):
    head = "external_id,first_name,last_name,birth_date\n"
    both(dojo, f"{head}0001,Mika,Sato,2010-01-01\n")
    report = both(dojo, f"{head}1,Ren,Ito,2011-02-02\n")
    assert report["rows"][0]["outcome"] == "created"
    assert report["rows"][0]["warnings"] == {
        "external_id": ["The id 1 differs only in zeros from 0001 (Mika Sato): two people?"]
    }
    assert {row["external_id"] for row in students(dojo)} == {"0001", "1"}


def test_ids_with_and_without_zeros_that_both_exist_are_two_people(dojo):
    content = "external_id,first_name,last_name\n1,Mika,Sato\n01,Ren,Ito\n"
    assert outcomes(both(dojo, content)) == ["created", "created"]
    assert outcomes(both(dojo, content)) == ["updated", "updated"]


@pytest.mark.parametrize("birth_date", ["2010-01-01", ""])
def test_an_id_for_a_student_who_has_none_is_filled_in(dojo, birth_date):
    body = {"first_name": "Zoë", "last_name": "O’Brien", **({"birth_date": birth_date} if birth_date else {})}
    dojo.create("/students", body)
    report = both(dojo, f"external_id,first_name,last_name,birth_date\nM-1,zoe,O'Brien,{birth_date}\n")
    row = report["rows"][0]
    assert row["outcome"] == "updated"
    assert row["warnings"] == {"external_id": ["Zoë O’Brien had no id so far and gets M-1."]}
    assert [one["external_id"] for one in students(dojo)] == ["M-1"]
    assert outcomes(
        both(dojo, f"external_id,first_name,last_name,birth_date\nM-1,zoe,O'Brien,{birth_date}\n")
    ) == ["updated"]


def test_an_id_is_not_given_to_one_of_several_namesakes(dojo):
    for _ in range(2):
        dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    report = both(dojo, "external_id,first_name,last_name\nM-1,Mika,Sato\n")
    assert outcomes(report) == ["duplicate"]
    assert report["rows"][0]["warnings"] == {
        "external_id": ["Several students are named Mika Sato: which of them gets this id?"]
    }
    assert outcomes(
        both(dojo, "external_id,first_name,last_name\nM-1,Mika,Sato\n", "allow_duplicates=true")
    ) == ["created"]


def test_a_namesake_with_another_address_gets_no_id(dojo):
    dojo.create("/students", {"first_name": "Maria", "last_name": "Silva", "email": "a@example.com"})
    report = both(dojo, "external_id,first_name,last_name,email\nM-1,Maria,Silva,b@example.com\n")
    assert outcomes(report) == ["created"]
    assert "another e-mail address" in report["rows"][0]["warnings"]["first_name"][0]


@pytest.mark.parametrize(("stored", "given"), [("2010-01-01", ""), ("", "2010-01-01")])
def test_a_twin_whose_birth_date_is_missing_is_a_duplicate(dojo, stored, given):
    head = "first_name,last_name,birth_date\n"
    both(dojo, f"{head}Mika,Sato,{stored}\n")
    report = both(dojo, f"{head}Mika,Sato,{given}\n")
    assert outcomes(report) == ["duplicate"]
    assert report["rows"][0]["duplicate_of"]["name"] == "Mika Sato"
    assert outcomes(both(dojo, f"{head}Mika,Sato,2011-01-01\n")) == (["created"] if stored else ["duplicate"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("O'Brien", "O’Brien"),
        ("d’Arc", "d\u02bcArc"),
        ("Kaʻahumanu", "Ka'ahumanu"),
        ("Müller\u2010Groß", "MÜLLER-GROSS"),
        ("Ærø", "AErO"),
        ("Łuczak", "Luczak"),
        ("Işık", "ISIK"),
        ("\uff33\uff41\uff54\uff4f", "Sato"),
        ("Fi\ufb00ield", "FIFFIELD"),
        ("Zoë\u200b", "zoe"),
    ],
)
def test_typographic_variants_are_twins_and_found(dojo, first, second):
    both(dojo, f"first_name,last_name,birth_date\nAna,{first},2010-01-01\n")
    assert outcomes(both(dojo, f"first_name,last_name,birth_date\nAna,{second},2010-01-01\n")) == [
        "duplicate"
    ]
    assert len(students(dojo, search=second)) == 1
    dojo.admin.patch(f"/students/{students(dojo)[0]['id']}", {"external_id": "M-1"})
    fact = (
        f"first_name,last_name,birth_date,kind,value,on\nANA,{second},2010-01-01,document,essay,2026-01-01\n"
    )
    assert outcomes(import_csv(dojo.admin, fact, "/facts/import")) == ["created"]


def test_a_line_without_an_id_is_a_duplicate_of_an_earlier_line_with_one(dojo):
    content = "external_id,first_name,last_name,birth_date\nM-1,Mika,Sato,2010-01-01\n,MIKA,Sató,2010-01-01\n"
    report = both(dojo, content)
    assert outcomes(report) == ["created", "duplicate"]
    assert report["rows"][1]["duplicate_of_line"] == 2


def test_two_ids_are_two_people_with_a_warning(dojo):
    content = (
        "external_id,first_name,last_name,birth_date\nM-1,Mika,Sato,2010-01-01\nM-2,Mika,Sato,2010-01-01\n"
    )
    report = both(dojo, content)
    assert outcomes(report) == ["created", "created"]
    assert report["rows"][1]["warnings"] == {
        "external_id": ["Line 2 has this name and birth date with another id."]
    }


def test_every_overwritten_value_of_a_student_is_listed(dojo):
    head = "external_id,first_name,last_name,phone,email,birth_date,opening_attendance\n"
    both(dojo, f"{head}1,Mika,Sato,030 1,,2010-01-01,55\n")
    report = both(dojo, f"{head}1,Mika,Ito,030 2,m@example.com,2010-01-02,60\n")
    assert report["rows"][0]["changes"] == [
        {"column": "last_name", "from": "Sato", "to": "Ito"},
        {"column": "phone", "from": "030 1", "to": "030 2"},
        {"column": "birth_date", "from": "2010-01-01", "to": "2010-01-02"},
        {"column": "opening_attendance", "from": "55", "to": "60"},
    ]


def test_the_id_of_another_person_is_an_error(dojo):
    head = "external_id,first_name,last_name,birth_date\n"
    both(dojo, f"{head}1,Rita,Moura,2010-05-13\n")
    report = both(dojo, f"{head}1,Ana,Silva,2012-02-02\n")
    assert report["rows"][0]["errors"] == {
        "external_id": ["This is the id of Rita Moura, born 2010-05-13, who is another person."]
    }
    assert [one["name"] for one in students(dojo)] == ["Rita Moura"]
    assert outcomes(both(dojo, f"{head}1,Rita,Silva,2012-02-02\n")) == ["updated"]


# --- archived -----------------------------------------------------------------------------------------------------


@pytest.fixture
def archived(dojo: Any) -> dict[str, Any]:
    body = {"first_name": "Mika", "last_name": "Sato", "birth_date": "2010-01-01", "external_id": "1"}
    student: dict[str, Any] = dojo.create("/students", body)
    dojo.admin.delete(f"/students/{student['id']}")
    return student


ACTIVE = "external_id,first_name,last_name,status\n1,Mika,Sato,active\n"


def test_an_archived_student_who_stays_archived_is_a_warning(dojo, archived):
    report = both(dojo, ACTIVE)
    assert (report["updated"], report["restored"]) == (1, 0)
    assert report["rows"][0]["warnings"] == {
        "status": ["Mika Sato is archived and stays archived: send restore=true to restore them."]
    }
    assert "is archived and stays archived" in report["letter"]
    assert students(dojo) == []


def test_an_archived_student_is_restored_when_asked(dojo, archived):
    report = both(dojo, ACTIVE, "restore=true")
    assert outcomes(report) == ["restored"]
    assert (report["updated"], report["restored"]) == (0, 1)
    assert [one["id"] for one in students(dojo)] == [archived["id"]]
    assert outcomes(both(dojo, ACTIVE, "restore=true")) == ["updated"]


def test_a_duplicate_says_that_the_twin_is_archived(dojo, archived):
    report = both(dojo, "first_name,last_name,birth_date\nMika,Sato,2010-01-01\n")
    row = report["rows"][0]
    assert row["outcome"] == "duplicate"
    assert row["duplicate_of"] == {"id": archived["id"], "name": "Mika Sato", "archived": True}
    assert row["warnings"] == {
        "first_name": [
            "The archive has Mika Sato, born 2010-01-01: restore them, or allow duplicates if this is another person."
        ]
    }


# --- rank systems that are no longer in use -----------------------------------------------------------------------


@pytest.fixture
def holder(dojo: Any) -> dict[str, Any]:
    """The roll of a student with a rank of a system that was archived afterwards."""
    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    code = system["ranks"][1]["code"]
    both(dojo, f"external_id,first_name,last_name,rank,rank_on\n1,Mika,Sato,{code},2024-01-02\n")
    dojo.admin.delete(f"/rank-systems/{system['id']}")
    return {"system": system["name"], "code": code}


def test_an_unchanged_export_is_imported_after_a_rank_system_was_archived(dojo, holder):
    before = exported_rows(dojo.admin)
    assert before[0]["rank"] == holder["code"]
    content = b"".join(dojo.admin.get("/students/export").streaming_content)
    report = both(dojo, content)  # type: ignore[arg-type]
    assert outcomes(report) == ["updated"]
    assert exported_rows(dojo.admin) == before


def test_the_histories_of_an_archived_system_are_duplicates_not_errors(dojo, holder):
    event = f"external_id,rank_system,rank,kind,effective_on\n1,{holder['system']},{holder['code']},import,2024-01-02\n"
    assert outcomes(import_csv(dojo.admin, event, "/rank-events/import")) == ["duplicate"]
    new = event.replace("2024-01-02", "2025-01-02")
    body = import_csv(dojo.admin, new, "/rank-events/import")
    assert body["rows"][0]["errors"] == {
        "rank_system": ["There is no such rank system. The dojo has none in use: add one first."]
    }


def test_a_system_of_the_same_name_does_not_take_over_the_ranks_of_the_archived_one(dojo, holder):
    again = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    assert again["name"] == holder["system"]
    content = b"".join(dojo.admin.get("/students/export").streaming_content)
    before = exported_rows(dojo.admin)
    assert outcomes(both(dojo, content)) == ["updated"]  # type: ignore[arg-type]
    assert exported_rows(dojo.admin) == before
