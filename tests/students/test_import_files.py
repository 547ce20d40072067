"""Files as desks have them: encodings, workbooks, separators, headings, dates, numbers of spreadsheets."""

import io
import time
import zipfile
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from tests.students.csv_files import FACTS, RANK_EVENTS, file_errors, import_csv, outcomes, upload

HEAD = "first_name,last_name,birth_date\n"
STUDENTS = "/students/import"


def names(dojo: Any) -> list[str]:
    return [row["name"] for row in dojo.admin.get("/students?ordering=created_at").json()["results"]]


def workbook(*rows: list[Any], **formats: str) -> bytes:
    """Return a workbook with these rows in its first sheet, and number formats by cell."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cell, number_format in formats.items():
        sheet[cell].number_format = number_format
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


# --- encodings ----------------------------------------------------------------------------------------------------

PEOPLE = "first_name,last_name\nZoë,Müller\nJörg,Groß\nJosé,Muñoz\nBjørn,Ångström\nÉlodie,François\n"


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "mac_roman"]
)
def test_the_encodings_of_spreadsheets_are_recognised(dojo, codec):
    body = import_csv(dojo.admin, PEOPLE.encode(codec))
    assert outcomes(body) == ["created"] * 5
    assert names(dojo) == ["Zoë Müller", "Jörg Groß", "José Muñoz", "Bjørn Ångström", "Élodie François"]
    guessed = {"cp1252": ("windows-1252", "Windows-1252"), "mac_roman": ("mac-roman", "Mac Roman")}.get(codec)
    if guessed:
        assert body["encoding"] == guessed[0]
        assert body["warnings"] == [
            f"The file is not UTF-8. It was read as {guessed[1]}: check the letters, for example 'Zoë' in line 2."
        ]
    else:
        assert body["warnings"] == []


@pytest.mark.parametrize("name", ["Müller", "São", "Peña", "O’Neill", "D’Arc", "Siân", "JOSÉ"])
@pytest.mark.parametrize("codec", ["cp1252", "mac_roman"])
def test_one_letter_is_enough_to_tell_the_encoding(dojo, name, codec):
    content = f"first_name,last_name\nA,{name}\n".encode(codec)
    body = import_csv(dojo.admin, content, f"{STUDENTS}?dry_run=true")
    assert body["encoding"] == {"cp1252": "windows-1252", "mac_roman": "mac-roman"}[codec]


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("windows-1251", "cp1251", "Иван,Петров"),
        ("windows-1250", "cp1250", "Łukasz,Żółć"),
        ("shift-jis", "cp932", "太郎,山田"),
        ("windows-1254", "cp1254", "Işıl,Şahin"),
    ],
)
def test_an_encoding_that_is_named_is_used(dojo, name, codec, text):
    content = f"first_name,last_name\n{text}\n".encode(codec)
    assert outcomes(import_csv(dojo.admin, content, f"{STUDENTS}?encoding={name}")) == ["created"]
    assert names(dojo) == [text.replace(",", " ")]


@pytest.mark.parametrize(
    "content", ["Иван,Петров".encode("cp1251"), "太郎,山田".encode("cp932"), b"A\xff\xfe\xfd,B"]
)
def test_an_encoding_that_cannot_be_recognised_is_refused(dojo, content):
    (message,) = file_errors(upload(dojo.admin, b"first_name,last_name\nA,B\n" + content))
    assert message == (
        "Line 3: this is not UTF-8 text. Save the file as CSV UTF-8, or name its encoding with `encoding`."
    )


def test_a_file_that_is_not_in_the_named_encoding_is_refused(dojo):
    response = upload(
        dojo.admin, "first_name,last_name\nM\xfcller,C\n".encode("cp1252"), f"{STUDENTS}?encoding=utf-8"
    )
    assert file_errors(response) == ["Line 2: this is not UTF-8 text."]
    refused = upload(dojo.admin, HEAD, f"{STUDENTS}?encoding=ebcdic")
    assert list(refused.json()["error"]["details"]) == ["encoding"]


# --- separators and headings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_line_that_names_the_separator_is_read(dojo, first, ending):
    content = ending.join([first, "first_name;last_name;medical_notes", "Zoë;Müller;a, b, c", ";A;x", ""])
    body = import_csv(dojo.admin, content)
    assert [(row["line"], row["outcome"]) for row in body["rows"]] == [(3, "created"), (4, "failed")]
    (student,) = dojo.admin.get("/students").json()["results"]
    assert student["medical_notes"] == "a, b, c"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("named", [True, False])
def test_a_separator_may_be_named_or_found(dojo, delimiter, named):
    content = f"sep={delimiter}\n" if named else ""
    content += f"Nome{delimiter}Sobrenome\nAna{delimiter}Silva\n"
    assert outcomes(import_csv(dojo.admin, content)) == ["created"]


@pytest.mark.parametrize(
    ("headings", "cells", "expected"),
    [
        ("First Name,LAST NAME,E-Mail", "Ana,Silva,ana@example.com", {"email": "ana@example.com"}),
        ("firstName,lastName,Date-of-birth", "Ana,Silva,1990-05-13", {"birth_date": "1990-05-13"}),
        ("Given name,Surname,DOB", "Ana,Silva,1990-05-13", {"birth_date": "1990-05-13"}),
        ("Nome,Sobrenome,Data de nascimento", "Ana,Silva,1990-05-13", {"birth_date": "1990-05-13"}),
        ("NOME PRÓPRIO,Apelido,Telemóvel", "Ana,Silva,+351 912 345 678", {"phone": "+351 912 345 678"}),
        (
            "Nome completo,Data de Nascimento (AAAA-MM-DD)",
            "Ana Silva,1990-05-13",
            {"birth_date": "1990-05-13"},
        ),
        ("Nome,E-mail", '"Silva, Ana",ana@example.com', {"email": "ana@example.com"}),
        ("Name,Phone number *", "Ana Silva,030 1234", {"phone": "030 1234"}),
        ("Member No.,Full name", "M-7,Ana Silva", {"external_id": "M-7"}),
        ("Nº de sócio,Aluno,Observações médicas", "S7,Ana Silva,asma", {"medical_notes": "asma"}),
        ("First_Name,last-name,Status", "Ana,Silva,Trial", {"status": "trial"}),
        ("Primeiro nome,Último nome,Situação", "Ana,Silva,Inativo", {"status": "inactive"}),
        ("Forename,Family name,Member since", "Ana,Silva,2020-01-02", {"joined_on": "2020-01-02"}),
    ],
)
def test_headings_in_any_case_and_in_english_or_portuguese(dojo, headings, cells, expected):
    body = import_csv(dojo.admin, f"{headings}\n{cells}\n")
    assert outcomes(body) == ["created"], body["rows"]
    (student,) = dojo.admin.get("/students").json()["results"]
    assert (student["first_name"], student["last_name"]) == ("Ana", "Silva")
    assert {name: student[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("João da Silva", "João", "da Silva"),
        ("Ludwig van der Berg", "Ludwig", "van der Berg"),
        ("Ana Maria Costa", "Ana Maria", "Costa"),
        ('"de Souza, Ana"', "Ana", "de Souza"),
    ],
)
def test_a_whole_name_is_split(dojo, name, first, last):
    import_csv(dojo.admin, f"Name\n{name}\n")
    (student,) = dojo.admin.get("/students").json()["results"]
    assert (student["first_name"], student["last_name"]) == (first, last)


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        ("Parent,Parent email,Parent phone,Relation of parent", "Hana,h@example.com,030 123456,mother"),
        (
            "Guardian 1,Guardian 1 e-mail,Guardian 1 phone,Guardian relation",
            "Hana,h@example.com,030 123456,mother",
        ),
        (
            "Responsável,E-mail do responsável,Telefone do responsável,Parentesco do responsável",
            "Hana,h@example.com,030 123456,mother",
        ),
        (
            "Encarregado de educação,Email do encarregado,Telemóvel do encarregado",
            "Hana,h@example.com,030 123456",
        ),
    ],
)
def test_headings_of_guardians(dojo, headings, cells):
    body = import_csv(dojo.admin, f"Nome,Sobrenome,{headings}\nA,B,{cells}\n")
    assert outcomes(body) == ["created"], body["rows"]
    (guardian,) = dojo.admin.get("/guardians").json()["results"]
    assert (guardian["name"], guardian["email"], guardian["phone"]) == ("Hana", "h@example.com", "030 123456")


def test_unknown_columns_are_refused_or_ignored(dojo):
    content = "first_name,last_name,Locker,,Shoe size\nA,B,12,x,38\n"
    assert file_errors(upload(dojo.admin, content)) == [
        "There is no column 'locker'.",
        "Column 4 has no heading.",
        "There is no column 'shoe_size'.",
    ]
    body = import_csv(dojo.admin, content, f"{STUDENTS}?unknown_columns=ignore")
    assert outcomes(body) == ["created"]
    assert body["ignored_columns"] == ["Locker", "column 4", "Shoe size"]
    assert body["warnings"] == [
        "These columns are unknown and were ignored: 'Locker', 'column 4', 'Shoe size'."
    ]
    missing = upload(dojo.admin, "last_name,Locker\nA,1\n", f"{STUDENTS}?unknown_columns=ignore")
    assert file_errors(missing) == ["The column 'first_name' is missing."]
    refused = upload(dojo.admin, content, f"{STUDENTS}?unknown_columns=maybe")
    assert list(refused.json()["error"]["details"]) == ["unknown_columns"]


def test_an_empty_column_without_a_heading_is_left_out(dojo):
    assert outcomes(import_csv(dojo.admin, "first_name,,last_name\nA,,B\n")) == ["created"]


def test_the_other_imports_read_the_same_headings(dojo):
    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    dojo.create("/students", {"first_name": "Ana", "last_name": "Silva", "external_id": "0007"})
    events = f"Matrícula;Graduação;Data\n7;{system['ranks'][0]['name']};13/05/2020\n"
    body = import_csv(dojo.admin, events, RANK_EVENTS)
    assert outcomes(body) == ["created"], body["rows"]
    assert body["rows"][0]["warnings"] == {"external_id": ["The id 7 was read as 0007, the id of Ana Silva."]}
    facts = "Nome;Tipo;Valor;Data;Válido até\nAna Silva;Documento;atestado;13/05/2020;31/12/2030\n"
    assert outcomes(import_csv(dojo.admin, facts, FACTS)) == ["created"]
    assert outcomes(import_csv(dojo.admin, facts, FACTS)) == ["duplicate"]


# --- dates --------------------------------------------------------------------------------------------------------


def births(dojo: Any, *cells: str, query: str = "") -> list[Any]:
    """Import students with these birth dates; return the date or the error of each."""
    lines = "".join(f'S{number},X,"{cell}"\n' for number, cell in enumerate(cells))
    rows = import_csv(dojo.admin, HEAD + lines, f"{STUDENTS}{query}")["rows"]
    stored = {row["name"]: row["birth_date"] for row in dojo.admin.get("/students").json()["results"]}
    return [stored.get(f"S{n} X") or row["errors"]["birth_date"][0] for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    "written",
    [
        "1990-05-13",
        "1990-5-13",
        "1990/05/13",
        "1990.05.13",
        "1990-05-13 00:00:00",
        "1990-05-13T00:00",
        "13.05.1990",
        "13. 5. 1990",
        "13/5/1990",
        "5/13/1990",
        "13-05-1990 00:00:00",
        "5/13/1990 12:00:00 AM",
        "13 May 1990",
        "13-May-1990",
        "May 13, 1990",
        "13th May 1990",
        "13 de maio de 1990",
        "13/mai/1990",
        "13 maio 1990",
    ],
)
def test_dates_as_spreadsheets_write_them(dojo, written):
    assert births(dojo, written) == ["1990-05-13"]


def test_a_column_with_a_day_after_the_twelfth_shows_its_order(dojo):
    assert births(dojo, "02/03/2010", "31/03/2010") == ["2010-03-02", "2010-03-31"]


def test_the_other_order(dojo):
    assert births(dojo, "02/03/2010", "03/31/2010") == ["2010-02-03", "2010-03-31"]


def test_each_column_has_its_own_order_and_the_report_names_it(dojo):
    content = (
        "first_name,last_name,birth_date,joined_on\nA,B,31/01/2010,01/31/2020\nC,D,02/01/2010,01/02/2020\n"
    )
    body = import_csv(dojo.admin, content)
    assert body["date_formats"] == {"birth_date": "dmy", "joined_on": "mdy"}
    rows = dojo.admin.get("/students?search=c").json()["results"]
    assert (rows[0]["birth_date"], rows[0]["joined_on"]) == ("2010-01-02", "2020-01-02")


def test_a_column_that_can_be_read_in_two_ways_is_refused(dojo):
    found = births(dojo, "02/03/2010", "04.05.2011", "2012-01-02", "05/05/2013")
    assert found[2:] == ["2012-01-02", "2013-05-05"]
    assert found[0] == found[1]
    assert found[0].startswith("This column can be read as day/month or month/day")
    assert "date_format=dmy" in found[0]


@pytest.mark.parametrize(("order", "expected"), [("dmy", "2010-03-02"), ("mdy", "2010-02-03")])
def test_a_named_order_decides(dojo, order, expected):
    assert births(dojo, "02/03/2010", "2011-01-02", query=f"?date_format={order}") == [expected, "2011-01-02"]


def test_dates_in_both_orders_are_refused_with_their_lines(dojo):
    first, second, third = births(dojo, "31/03/2010", "03/31/2010", "2010-01-02")
    assert first == second
    assert first.startswith("This column has dates as day/month (line 2) and as month/day (line 3)")
    assert third == "2010-01-02"


@pytest.mark.parametrize(
    ("written", "query", "message"),
    [
        ("31/02/2010", "", "The calendar has no such day."),
        ("13/05/90", "", "Write the year of this date with four digits."),
        ("33006", "", "This is not a date: write it as 2010-05-13."),
        ("yesterday", "", "This is not a date: write it as 2010-05-13."),
        ("13/05/2010", "?date_format=mdy", "The calendar has no such day."),
        ("13/05/2010", "?date_format=ymd", "With date_format=ymd a date begins with the year: 2010-05-13."),
        ("0190-05-13", "", "This date is out of range."),
        ("2010-05-13T23:30:00Z", "", "This is not a date: write it as 2010-05-13."),
        ("9" * 1_000, "", "This is not a date: write it as 2010-05-13."),
    ],
)
def test_what_is_not_a_date_is_an_error_of_its_line(dojo, written, query, message):
    found, other = births(dojo, written, "2011-01-02", query=query)
    assert found == message
    assert other == "2011-01-02"


def test_an_unknown_date_format_is_refused(dojo):
    response = upload(dojo.admin, HEAD, f"{STUDENTS}?date_format=dd.mm.yyyy")
    assert response.json()["error"]["details"] == {
        "date_format": ["This must be one of: auto, ymd, dmy, mdy."]
    }


# --- numbers and errors of spreadsheets ---------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["phone", "external_id", "guardian_1_phone"])
@pytest.mark.parametrize("written", ["4.91701E+11", '"4,91701E+11"', "4E+11", "1.5e10"])
def test_a_number_that_a_spreadsheet_shortened_is_refused_with_the_reason(dojo, column, written):
    cell = f"{written},Hana" if column.startswith("guardian") else written
    head = f"first_name,last_name,{column}" + (",guardian_1_name" if column.startswith("guardian") else "")
    body = import_csv(dojo.admin, f"{head}\nA,B,{cell}\n")
    assert body["rows"][0]["errors"] == {
        column: [
            "A spreadsheet has shortened this number, and digits are lost: format the column as text, "
            "and enter the number again."
        ]
    }


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#NAME?", "#VALUE!", "########"])
def test_an_error_of_a_spreadsheet_is_not_a_value(dojo, error):
    body = import_csv(dojo.admin, f"first_name,last_name,phone\nA,{error},\nA,B,{error}\n")
    message = ["This cell has an error of the spreadsheet instead of a value."]
    assert [row["errors"] for row in body["rows"]] == [{"last_name": message}, {"phone": message}]


# --- workbooks ----------------------------------------------------------------------------------------------------


def test_a_workbook_is_read_with_its_dates_and_numbers_as_typed(dojo):
    content = workbook(
        [
            "Nome",
            "Sobrenome",
            "Data de nascimento",
            "Membro desde",
            "Matrícula",
            "Telefone",
            "opening_attendance",
        ],
        # A cell has no time zone.
        ["Zoë", "Müller", date(2010, 5, 4), datetime(2020, 1, 2, 18, 30), 7, 491701234567, 55.0],  # noqa: DTZ001
        [],
        ["Ren", "Itō", "13/05/1990", None, "0008", "+49 30 1"],
        E2="0000",
    )
    body = import_csv(dojo.admin, content)
    assert [(row["line"], row["outcome"]) for row in body["rows"]] == [(2, "created"), (4, "created")], body
    assert body["encoding"] == "xlsx"
    zoe, ren = (dojo.admin.get(f"/students?search={name}").json()["results"][0] for name in ("zoe", "ren"))
    assert (zoe["birth_date"], zoe["joined_on"]) == ("2010-05-04", "2020-01-02")
    assert (zoe["external_id"], zoe["phone"]) == ("0007", "491701234567")
    assert (ren["birth_date"], ren["joined_on"], ren["external_id"]) == ("1990-05-13", None, "0008")
    (fact,) = dojo.admin.get(f"/students/{zoe['id']}/facts").json()["results"]
    assert fact["value"] == 55


def test_the_first_visible_sheet_is_read(dojo):
    book = openpyxl.Workbook()
    book.active.append(["secret"])
    book.active.sheet_state = "hidden"
    second = book.create_sheet("Roll")
    for row in (["first_name", "last_name"], ["A", "B"]):
        second.append(row)
    content = io.BytesIO()
    book.save(content)
    assert outcomes(import_csv(dojo.admin, content.getvalue())) == ["created"]


def test_line_breaks_and_underscores_of_a_workbook_are_read_as_they_were(dojo):
    columns = ["first_name", "last_name", "medical_notes"]
    body = import_csv(dojo.admin, workbook(columns, ["A", "B_x005F_x000D_", "a_x000D_\n_x000d_\nb_xD800_"]))
    assert outcomes(body) == ["created"]
    (student,) = dojo.admin.get("/students").json()["results"]
    assert (student["last_name"], student["medical_notes"]) == ("B_x000D_", "a\r\n\r\nb_xD800_")


def test_a_formula_gives_its_stored_value_or_nothing(dojo):
    body = import_csv(dojo.admin, workbook(["last_name", "first_name"], ["A", '="B"']))
    assert body["rows"][0]["errors"] == {"first_name": ["This field may not be blank."]}


def repacked(content: bytes, **changes: bytes) -> bytes:
    """Return the workbook with parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, old.read(name)))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
BOMB = (
    b"<!DOCTYPE x [<!ENTITY a '"
    + b"a" * 50_000
    + b"'>]><worksheet "
    + MAIN.encode()
    + b"><sheetData><row r='1'>"
)
BOMB += b"<c r='A1' t='inlineStr'><is><t>" + b"&a;" * 50_000 + b"</t></is></c></row></sheetData></worksheet>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda book: book[: len(book) // 2], "This .xlsx file is damaged and cannot be read."),
        (
            lambda book: repacked(book, **{SHEET: b"<worksheet><row"}),
            "This .xlsx file is damaged and cannot be read.",
        ),
        (lambda book: repacked(book, **{SHEET: BOMB}), "This .xlsx file is damaged and cannot be read."),
        (
            lambda book: repacked(book, **{SHEET: b" " * (70 * 1024 * 1024)}),
            "This .xlsx file is too large when it is unpacked: remove pictures, or save it as CSV.",
        ),
        (lambda _: b"PK\x03\x04 is not a workbook", "This .xlsx file is damaged and cannot be read."),
        (
            lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
            "This is an .xls workbook or one with a password: save it as .xlsx without a password, or as CSV.",
        ),
        (lambda _: b"%PDF-1.7\n", "This is a PDF: save the table as .xlsx or CSV."),
    ],
    ids=["cut", "no XML", "entities", "zip bomb", "no zip", "xls", "pdf"],
)
def test_a_damaged_or_other_workbook_is_refused(dojo, change, message):
    book = workbook(["first_name", "last_name"], ["A", "B"])
    assert file_errors(upload(dojo.admin, change(book))) == [message]
    assert dojo.admin.get("/students").json()["count"] == 0


def test_a_cell_far_away_costs_nothing_and_is_refused(dojo):
    book = openpyxl.Workbook()
    for row in (["first_name", "last_name"], ["A", "B"]):
        book.active.append(row)
    book.active["XFD1048576"] = "x"
    content = io.BytesIO()
    book.save(content)
    before = time.thread_time()
    body = import_csv(dojo.admin, content.getvalue())
    assert time.thread_time() - before < 3
    assert body["rows"][0]["outcome"] == "created"


def test_an_open_document_spreadsheet_is_refused_with_what_to_do(dojo):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert file_errors(upload(dojo.admin, out.getvalue())) == [
        "This is not an .xlsx workbook: save the table as .xlsx or CSV."
    ]
