"""`POST /attendance/import`: one attendance per line."""

from typing import Any
from uuid import uuid4

import pytest

from tenant_apps.attendance import attendance_import
from tests.attendance.scanning import attendances
from tests.students.csv_files import csv_text, file_errors, import_csv, outcomes, upload
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import sent_statements

PATH = "/attendance/import"
HEAD = "external_id,date,class\n"
MONDAY = "2026-06-15T08:00:00Z"
"""10:00 in Berlin, before the time of the tests."""


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return factories.student(dojo, last_name="Sató", birth_date="2000-01-01", external_id="7")


@pytest.fixture
def morning(dojo: Dojo) -> dict[str, Any]:
    return factories.single_session(dojo, MONDAY, name="Früh Stunde")


def rows_of(dojo: Dojo) -> list[dict[str, Any]]:
    return list(ok(dojo.admin.get("/attendance"))["results"])


def errors(report: Any) -> list[dict[str, list[str]]]:
    return [row["errors"] for row in report["rows"]]


# --- the session ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        {"external_id": "7", "date": "2026-06-15", "class": "FRUH  stunde"},
        {"external_id": "7", "date": "2026-06-15", "class_session": "Früh Stunde"},
        {"first_name": "Mika", "last_name": "sato", "date": "2026-06-15", "class": "Früh Stunde"},
        {"first_name": "Mika", "last_name": "Sató", "birth_date": "2000-01-01", "class_session_id": "{id}"},
        {"external_id": "7", "class_session_id": "{id}", "date": "2026-06-15", "class": "another name"},
        {"external_id": "7", "date": "2026-06-15", "class": "Früh Stunde", "time": "10:00"},
        {"external_id": "7", "date": "2026-06-15", "class": "Früh Stunde", "starts_at": MONDAY},
    ],
)
def test_student_and_session_are_named_by_id_or_by_name(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any], cells: dict[str, str]
) -> None:
    given = {name: text.format(id=morning["id"]) for name, text in cells.items()}
    body = import_csv(dojo.admin, csv_text(given), PATH)
    assert body["rows"] == [
        {"line": 2, "outcome": "created", "student": {"id": mika["id"], "name": "Mika Sató"}, "errors": {}}
    ]
    (row,) = rows_of(dojo)
    assert (row["student"]["id"], row["class_session"]["id"]) == (mika["id"], morning["id"])
    assert (row["method"], row["late"], row["checked_in_at"]) == ("import", False, MONDAY)


def test_a_session_of_a_class_is_found_by_the_name_of_the_class(dojo: Dojo, mika: dict[str, Any]) -> None:
    evening = factories.training_class(dojo)
    session = factories.session_today(dojo, evening)
    body = import_csv(dojo.admin, HEAD + f"7,{session['local_date']},{evening['name']}\n", PATH)
    assert outcomes(body) == ["created"]
    assert rows_of(dojo)[0]["class_session"]["id"] == session["id"]


def test_several_sessions_of_a_day_are_told_apart_by_their_time(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    noon = factories.single_session(dojo, "2026-06-15T10:00:00Z", name="Früh Stunde")
    head = "external_id,date,class,time\n"
    body = import_csv(dojo.admin, head + "7,2026-06-15,Früh Stunde,\n", PATH)
    assert errors(body) == [{"class": [attendance_import.SEVERAL_SESSIONS]}]
    body = import_csv(
        dojo.admin, head + "7,2026-06-15,Früh Stunde,12:00\n7,2026-06-15,Früh Stunde,13:00\n", PATH
    )
    assert outcomes(body) == ["created", "failed"]
    assert rows_of(dojo)[0]["class_session"]["id"] == noon["id"]


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("Nº de sócio;Data;Turma;Hora", "7;15/06/2026;Früh Stunde;10:00"),
        ("Member ID;Session date;Session;Start time", "7;15.06.2026;früh stunde;10:00:00"),
        ("Student;Day;Class name;Locker", "Sató, Mika;2026-06-15;Früh Stunde;12"),
    ],
)
def test_files_are_read_as_in_the_other_imports(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any], head: str, cells: str
) -> None:
    content = f"sep=;\n{head}\n{cells}\n".encode("cp1252")
    body = import_csv(dojo.admin, content, f"{PATH}?unknown_columns=ignore")
    assert (outcomes(body), body["encoding"]) == (["created"], "windows-1252")
    assert rows_of(dojo)[0]["class_session"]["id"] == morning["id"]
    assert_invalid(upload(dojo.admin, content, f"{PATH}?date_format=european"), "date_format")


def test_the_date_is_the_local_date_of_the_dojo(dojo: Dojo, mika: dict[str, Any]) -> None:
    factories.single_session(dojo, "2026-06-14T22:30:00Z", name="Night")
    body = import_csv(dojo.admin, HEAD + "7,2026-06-14,Night\n7,2026-06-15,Night\n", PATH)
    assert outcomes(body) == ["failed", "created"]


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ({"class": "Other"}, "class", attendance_import.NO_SESSION),
        ({"date": "2026-06-14"}, "class", attendance_import.NO_SESSION),
        ({"date": ""}, "date", "This field may not be blank."),
        ({"class": ""}, "class", attendance_import.NAME_THE_SESSION),
        ({"date": "15th"}, "date", "This is not a date: write it as 2010-05-13."),
        ({"time": "late"}, "time", "Time has wrong format. Use one of these formats instead: hh:mm[:ss[.uuuuuu]]."),
        ({"class_session_id": "7"}, "class_session_id", "Must be a valid UUID."),
        ({"class_session_id": str(uuid4())}, "class_session_id", "There is no such class session."),
        ({"class_session_id": "{id}", "date": "2026-06-14"}, "date", attendance_import.OTHER_DATE),
        ({"late": "perhaps"}, "late", "Must be a valid boolean."),
        ({"checked_in_at": "2026-06-15T23:00:00Z"}, "checked_in_at", attendance_import.IN_FUTURE),
        ({"checked_in_at": "10:05"}, "checked_in_at", None),
        ({"voided_at": "2026-06-15T09:00:00Z"}, "voided_at", attendance_import.VOIDED),
        ({"external_id": "8"}, "external_id", "There is no such student."),
    ],
)  # fmt: skip
def test_a_faulty_line_is_refused_by_column_and_the_others_are_written(
    dojo: Dojo,
    mika: dict[str, Any],
    morning: dict[str, Any],
    cells: dict[str, str],
    column: str,
    message: str | None,
) -> None:
    factories.student(dojo, external_id="9")
    good = {"external_id": "9", "date": "2026-06-15", "class": "Früh Stunde"}
    faulty = {
        **good,
        "external_id": "7",
        **{name: text.format(id=morning["id"]) for name, text in cells.items()},
    }
    columns = dict.fromkeys([*faulty, *good], "")
    body = import_csv(dojo.admin, csv_text(columns | faulty, columns | good), PATH)
    assert outcomes(body) == ["failed", "created"]
    (found,) = body["rows"][0]["errors"].items()
    assert found[0] == column
    assert message is None or found[1] == [message]
    assert len(rows_of(dojo)) == 1


def test_faults_are_in_the_language_of_the_dojo(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    good = {"external_id": "7", "date": "2026-06-15", "class": "Früh Stunde", "voided_at": ""}
    faulty = (
        {"class": ""},
        {"class": "Unknown class"},
        {"date": "15th"},
        {"date": "13/05/26"},
        {"date": ""},
        {"external_id": "8"},
        {"voided_at": "2026-06-15T09:00:00Z"},
    )
    body = import_csv(dojo.admin, csv_text(*(good | cells for cells in faulty)), PATH)
    assert errors(body) == [
        {"class": ["Informe a turma (class) ou a aula (class_session), ou o class_session_id."]},
        {"class": ["Não há essa aula nesta data."]},
        {"date": ["Isto não é uma data: escreva-a como 2010-05-13."]},
        {"date": ["Escreva o ano desta data com quatro algarismos."]},
        {"date": ["Este campo não pode ficar em branco."]},
        {"external_id": ["Este aluno não existe."]},
        {"voided_at": ["Esta presença foi anulada."]},
    ]


def test_cancelled_and_coming_sessions_are_refused(dojo: Dojo, mika: dict[str, Any]) -> None:
    cancelled = factories.single_session(dojo, MONDAY, name="Off")
    ok(dojo.admin.post(f"/class-sessions/{cancelled['id']}/cancellation", {"reason": "Flood"}), 201)
    factories.single_session(dojo, "2026-06-15T20:00:00Z", name="Late")
    body = import_csv(dojo.admin, HEAD + "7,2026-06-15,Off\n7,2026-06-15,Late\n", PATH)
    assert errors(body) == [
        {"class": ["This class session is cancelled."]},
        {"class": [attendance_import.NOT_BEGUN]},
    ]
    assert attendances(dojo) == []


@pytest.mark.parametrize(
    "head", ["external_id,date", "external_id,class", "date,class", "external_id,when,class"]
)
def test_a_file_without_the_needed_columns_is_refused(dojo: Dojo, head: str) -> None:
    assert file_errors(upload(dojo.admin, f"{head}\n", PATH))


# --- repeated -------------------------------------------------------------------------------------------------------


def test_an_attendance_that_exists_is_a_duplicate_and_stays(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    factories.attendance(dojo, mika, morning)
    content = "external_id,date,class,late\n7,2026-06-15,Früh Stunde,true\n"
    before = rows_of(dojo)
    assert outcomes(import_csv(dojo.admin, content, PATH)) == ["duplicate"]
    assert rows_of(dojo) == before


def test_a_line_twice_is_written_once(dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]) -> None:
    line = "7,2026-06-15,Früh Stunde\n"
    body = import_csv(dojo.admin, HEAD + line + line, PATH)
    assert (outcomes(body), body["rows"][1]["duplicate_of_line"]) == (["created", "duplicate"], 2)
    assert outcomes(import_csv(dojo.admin, HEAD + line, PATH)) == ["duplicate"]
    assert len(rows_of(dojo)) == 1


def test_a_voided_attendance_can_be_imported_anew(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    voided = factories.attendance(dojo, mika, morning)
    ok(dojo.admin.post(f"/attendance/{voided['id']}/void", {"reason": "A mistake"}))
    assert outcomes(import_csv(dojo.admin, HEAD + "7,2026-06-15,Früh Stunde\n", PATH)) == ["created"]


def test_a_dry_run_reports_the_same_and_writes_nothing(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    content = HEAD + "7,2026-06-15,Früh Stunde\n7,2026-06-15,Other\n"
    dry = import_csv(dojo.admin, content, f"{PATH}?dry_run=true")
    assert attendances(dojo) == []
    real = import_csv(dojo.admin, content, PATH)
    assert (dry.pop("dry_run"), real.pop("dry_run")) == (True, False)
    assert ("Nothing has been saved" in dry.pop("letter"), "saved" in real.pop("letter")) == (True, False)
    assert dry == real
    assert_invalid(upload(dojo.admin, content, f"{PATH}?dry_run=maybe"), "dry_run")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_exported_attendances_can_be_imported_into_the_same_roll(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any], form: str
) -> None:
    evening = factories.single_session(dojo, name="=1+1")
    nameless = factories.student(dojo, first_name="Bo", last_name="D'Arc", birth_date="1999-01-01")
    for student in (mika, nameless):
        for session in (morning, evening):
            factories.attendance(dojo, student, session)
    exported = dojo.admin.get(f"/attendance?format={form}").content
    semicolons = dojo.admin.get("/attendance?format=csv&delimiter=semicolon").content
    for content in (exported, semicolons):
        assert outcomes(import_csv(dojo.admin, content, PATH)) == ["duplicate"] * 4
    before = {
        (row["student"]["id"], row["class_session"]["id"], row["late"], row["checked_in_at"])
        for row in rows_of(dojo)
    }
    for row in rows_of(dojo):
        ok(dojo.admin.post(f"/attendance/{row['id']}/void", {"reason": "Imported again"}))
    assert outcomes(import_csv(dojo.admin, exported, PATH)) == ["created"] * 4
    after = [row for row in rows_of(dojo) if not row["voided"]]
    assert {
        (row["student"]["id"], row["class_session"]["id"], row["late"], row["checked_in_at"]) for row in after
    } == before


# --- cost, audit, access --------------------------------------------------------------------------------------------


def test_the_number_of_statements_does_not_depend_on_the_lines(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    lines = []
    for number in range(12):
        factories.student(dojo, external_id=f"s-{number}")
        lines.append(f"s-{number},2026-06-15,Früh Stunde\n")
    counts = []
    for content in (lines[:2], lines[2:]):
        with sent_statements() as sent:
            assert set(outcomes(import_csv(dojo.admin, HEAD + "".join(content), PATH))) == {"created"}
        counts.append(
            len(
                [
                    one
                    for one in sent
                    if "attendance_attendance" in str(one) or "classes_classsession" in str(one)
                ]
            )
        )
    assert counts[0] == counts[1]


def test_an_import_is_in_the_audit_and_a_dry_run_is_not(
    dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    content = HEAD + "7,2026-06-15,Früh Stunde\n"
    import_csv(dojo.admin, content, f"{PATH}?dry_run=true")
    import_csv(dojo.admin, content, PATH)
    entries = ok(dojo.admin.get("/audit"))["results"]
    assert [one["action"] for one in entries].count("attendance-import.post") == 1


def test_only_admins_import_attendances(
    dojo: Dojo, other_dojo: Dojo, mika: dict[str, Any], morning: dict[str, Any]
) -> None:
    for caller in (dojo.instructor, dojo.assistant, dojo.student):
        assert_error(upload(caller, HEAD, PATH), 403, "permission_denied")
    body = import_csv(other_dojo.admin, HEAD + "7,2026-06-15,Früh Stunde\n", PATH)
    assert outcomes(body) == ["failed"]
