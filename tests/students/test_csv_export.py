"""`GET /students/export`: can be imported again, and contains no formulas that a spreadsheet would run."""

import csv
import io

from tests.students.csv_files import exported_rows, import_csv, number_of_student_statements, outcomes, upload


def test_cells_that_look_like_formulas_are_harmless(dojo):
    evil = {
        "first_name": "=HYPERLINK(1)",
        "last_name": "@SUM(A1)",
        "phone": "+49 30 1",
        "medical_notes": "a;=1\n-2",
    }
    dojo.create("/students", {**evil, "guardians": [{"name": "-1+1", "relation": "a, =b"}]})
    response = dojo.admin.get("/students/export")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8")
    assert text.startswith("\ufeff")
    for separator in ",;\t":
        for line in csv.reader(io.StringIO(text[1:], newline=""), delimiter=separator):
            assert not [
                cell for cell in line if cell.strip(' "').startswith(("=", "+", "-", "@", "\t", "\r"))
            ]


def test_an_export_is_imported_unchanged(dojo, other_dojo):
    for one in (dojo, other_dojo):
        system = one.create("/rank-systems", {"preset": "fik-kendo"})
    rank = system["ranks"][1]
    import_csv(
        dojo.admin,
        "external_id,first_name,last_name,phone,birth_date,status,medical_notes,guardian_1_name,guardian_1_phone,"
        "guardian_1_relation,guardian_2_name,guardian_3_name,rank,rank_on\n"
        '1,=Zoë,"Mü, ""x""",+49 30 1,2010-05-04,trial,"two\nlines",Hana,+49 1,mother,Jun,Ken,'
        f"{rank['code']},2024-01-02\n"
        "2,Ren,Sato,,,active,,,,,,,,\n",
    )
    before = exported_rows(dojo.admin)
    content = b"".join(dojo.admin.get("/students/export").streaming_content)
    zoe = next(row for row in before if row["external_id"] == "1")
    assert (zoe["first_name"], zoe["guardian_3_name"], zoe["rank"]) == ("'=Zoë", "Ken", rank["code"])
    assert outcomes(import_csv(dojo.admin, content)) == ["updated", "updated"]
    assert exported_rows(dojo.admin) == before
    assert outcomes(import_csv(other_dojo.admin, content)) == ["created", "created"]
    assert exported_rows(other_dojo.admin) == before
    assert other_dojo.admin.get("/students?search=zoe").json()["results"][0]["first_name"] == "=Zoë"


def test_an_empty_dojo_exports_its_columns(dojo):
    response = dojo.admin.get("/students/export")
    assert b"".join(response.streaming_content).decode("utf-8-sig").startswith('"external_id","first_name"')
    assert (
        upload(dojo.admin, b"".join(dojo.admin.get("/students/export").streaming_content)).json()["rows"]
        == []
    )


def test_the_filters_of_the_list_apply_to_the_export(dojo):
    import_csv(dojo.admin, "first_name,last_name,status\nA,One,trial\nB,Two,active\n")
    gone = dojo.create("/students", {"first_name": "C", "last_name": "Three"})
    dojo.admin.delete(f"/students/{gone['id']}")
    assert [row["first_name"] for row in exported_rows(dojo.admin)] == ["A", "B"]
    assert [row["first_name"] for row in exported_rows(dojo.admin, "?status=trial")] == ["A"]
    assert [row["first_name"] for row in exported_rows(dojo.admin, "?archived=true")] == ["C"]


def test_errors_are_json(dojo):
    response = dojo.admin.get("/students/export?status=gone", Accept="text/csv")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "validation_error")
    response = dojo.admin.get("/students/export", Accept="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (406, "not_acceptable")


def test_the_export_contains_no_students_of_the_other_dojo(dojo, other_dojo):
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    other_dojo.create("/students", {"first_name": "Ren", "last_name": "Sato"})
    assert [row["first_name"] for row in exported_rows(dojo.admin)] == ["Mika"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_students(
    dojo, django_assert_max_num_queries
):
    counts = []
    for numbers in (range(2), range(2, 12)):
        import_csv(
            dojo.admin, "first_name,last_name,guardian_1_name\n" + "".join(f"S{n},X,G{n}\n" for n in numbers)
        )
        with django_assert_max_num_queries(12) as captured:
            exported_rows(dojo.admin)
        counts.append(number_of_student_statements(captured))
    assert counts[0] == counts[1]
