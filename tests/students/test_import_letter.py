"""The dry run of a messy file reads like a letter to a desk person."""

from typing import Any

from tests.students.csv_files import import_csv
from tests.support.responses import ok

DRY = "/students/import?dry_run=true&unknown_columns=ignore"
HEAD = (
    "Nº de sócio;Nome;Apelido;Data de nascimento;E-mail;Telemóvel;Membro desde;Graduação;Data da graduação;"
    "Encarregado de educação;Telemóvel do encarregado;Email do encarregado;Cacifo"
)
LAST_NAMES = [
    "Silva", "Santos", "Ferreira", "Pereira", "Oliveira", "Costa", "Rodrigues", "Martins", "Jesus", "Sousa",
    "Fernandes", "Gonçalves",
]  # fmt: skip
FIRST_NAMES = ["Ana", "Bia", "Caio", "Duarte", "Eva"]
LINES = 60


def good_line(number: int) -> list[str]:
    """Return the cells of an ordinary student, numbered from 1."""
    first, last = FIRST_NAMES[number % 5], LAST_NAMES[number % 12]
    return [
        f"{number + 100:04}", first, last, f"{number % 28 + 1:02}/{number % 12 + 1:02}/2012",
        f"socio{number}@example.com",
        f"912 345 {number:03}", "", "", "", f"Rosa {last} {number}", f"21 555 {number:04}", "", str(number),
    ]  # fmt: skip


def messy_file() -> bytes:
    """Return a file of 60 lines, 17 of them with twelve kinds of fault, as an old spreadsheet would save it."""
    rows = {number: good_line(number) for number in range(1, LINES + 1)}
    rows[3][0] = "1"  # 1: the id lost its zeros: the dojo has 0001
    rows[3][1:4] = ["Rita", "Moura", "13/05/2010"]
    rows[5][4] = "ana.silva@"  # 2: no e-mail address
    rows[8][3] = "31/02/2012"  # 3: no day of the calendar
    rows[11][3] = "13/05/12"  # 4: no century
    rows[14][5] = "3,51912E+11"  # 5: a number in scientific notation
    rows[17][1] = "\u00a0"  # 6: no first name
    rows[20][0] = rows[19][0]  # 7: an id twice
    rows[23] = ["", *rows[22][1:]]  # 8: a person twice
    rows[26][7:9] = [
        "Faixa púrpura",
        "01/02/2024",
    ]  # 9: a rank that the dojo does not have, and a date in two ways
    rows[29][6] = "#REF!"  # 10: an error of the spreadsheet
    rows[32].append("nota solta")  # 11: a cell too many
    for number in (35, 36):  # 12: two people named Maria Silva share a number that no one has
        rows[number][9:12] = ["Maria Silva", "000 000 000", f"maria{number}@example.com"]
    rows[38][7:9] = ["5.º kyu", "01/02/2024"]
    rows[40][1:3], rows[40][0], rows[40][3] = ["Inês", "D’Orey"], "", ""  # an archived namesake
    rows[42] = rows[42][:3]  # a short line is no fault
    for number in (44, 45):  # siblings
        rows[number][9:12] = ["Paula Nunes", "21 888 7766", ""]
    lines = ["sep=;", HEAD, *(";".join(cells) for cells in rows.values())]
    return "\r\n".join(lines).encode("cp1252")


LETTER = """\
48 of 60 lines would be imported (47 new, 1 updated). Nothing has been saved yet.
The file is not UTF-8. It was read as Windows-1252: check the letters, for example 'Nº' in line 2.
These columns are unknown and were ignored: 'Cacifo'.
Dates in the column Data de nascimento were read as day/month/year.

These lines would not be imported:
- Line 7, Ana Costa: E-mail: Enter a valid email address.
- Line 10, Duarte Jesus: Data de nascimento: The calendar has no such day.
- Line 13, Bia Gonçalves: Data de nascimento: Write the year of this date with four digits.
- Line 16, Eva Ferreira: Telemóvel: A spreadsheet has shortened this number, and digits are lost: format the column as text, and enter the number again.
- Line 19, Costa: Nome: This field may not be blank.
- Line 22, Ana Jesus: Nº de sócio: Line 21 has this external id already.
- Line 25, Caio Fernandes: This repeats line 24.
- Line 28, Bia Ferreira: Data da graduação: This column can be read as day/month or month/day, and no cell of it decides: send date_format=dmy or date_format=mdy, or write dates as 2010-05-13. Graduação: There is no such rank. The ranks are: 5th kyu, 4th kyu, 3rd kyu, 2nd kyu, 1st kyu, 1st dan, 2nd dan, 3rd dan, 4th dan.
- Line 31, Eva Costa: Membro desde: This cell has an error of the spreadsheet instead of a value.
- Line 34: This line has 14 cells, the header 13.
- Line 40, Duarte Ferreira: Data da graduação: This column can be read as day/month or month/day, and no cell of it decides: send date_format=dmy or date_format=mdy, or write dates as 2010-05-13.
- Line 42, Inês D’Orey: The archive has Inês d'Orey: restore them, or allow duplicates if this is another person.

These lines would be imported; please check:
- Line 5, Rita Moura: The id 1 was read as 0001, the id of Rita Moura. Telemóvel changes from "911 111 111" to "912 345 003".
- Line 38, Bia Silva: Another guardian is also named Maria Silva, but no address or phone number shows that they are the same person: they are kept apart.
- Line 47, Ana Sousa: The guardian Paula Nunes is the same person as in line 46.
"""  # noqa: E501


def test_the_letter_about_a_messy_file(dojo: Any) -> None:
    report = preview_of_the_messy_file(dojo)
    assert len(report["rows"]) == LINES
    assert report["letter"].splitlines() == LETTER.splitlines()
    assert dojo.admin.get("/students").json()["count"] == 1


LETTER_IN_PORTUGUESE = """\
48 de 60 linhas seriam importadas (47 novas, 1 atualizada). Nada foi salvo ainda.
O arquivo não está em UTF-8. Foi lido como Windows-1252: confira as letras, por exemplo 'Nº' na linha 2.
Estas colunas são desconhecidas e foram ignoradas: 'Cacifo'.
As datas da coluna Data de nascimento foram lidas como dia/mês/ano.

Estas linhas não seriam importadas:
- Linha 7, Ana Costa: E-mail: Insira um endereço de email válido.
- Linha 10, Duarte Jesus: Data de nascimento: Este dia não existe no calendário.
- Linha 13, Bia Gonçalves: Data de nascimento: Escreva o ano desta data com quatro algarismos.
- Linha 16, Eva Ferreira: Telemóvel: Uma planilha abreviou este número, e algarismos se perderam: formate a coluna como texto e digite o número de novo.
- Linha 19, Costa: Nome: Este campo não pode ficar em branco.
- Linha 22, Ana Jesus: Nº de sócio: A linha 21 já tem este código externo.
- Linha 25, Caio Fernandes: Isto repete a linha 24.
- Linha 28, Bia Ferreira: Data da graduação: Esta coluna pode ser lida como dia/mês ou mês/dia, e nenhuma célula decide: envie date_format=dmy ou date_format=mdy, ou escreva as datas como 2010-05-13. Graduação: Esta graduação não existe. As graduações são: 5th kyu, 4th kyu, 3rd kyu, 2nd kyu, 1st kyu, 1st dan, 2nd dan, 3rd dan, 4th dan.
- Linha 31, Eva Costa: Membro desde: Esta célula tem um erro da planilha em vez de um valor.
- Linha 34: Esta linha tem 14 células; o cabeçalho, 13.
- Linha 40, Duarte Ferreira: Data da graduação: Esta coluna pode ser lida como dia/mês ou mês/dia, e nenhuma célula decide: envie date_format=dmy ou date_format=mdy, ou escreva as datas como 2010-05-13.
- Linha 42, Inês D’Orey: O cadastro de Inês d'Orey está arquivado: restaure-o, ou permita duplicatas se for outra pessoa.

Estas linhas seriam importadas; por favor, confira:
- Linha 5, Rita Moura: O código 1 foi lido como 0001, o código de Rita Moura. Telemóvel muda de “911 111 111” para “912 345 003”.
- Linha 38, Bia Silva: Outro responsável também se chama Maria Silva, mas nenhum e-mail ou telefone mostra que é a mesma pessoa: os dois ficam separados.
- Linha 47, Ana Sousa: O responsável Paula Nunes é a mesma pessoa que na linha 46.
"""  # noqa: E501


def test_the_letter_is_in_the_language_of_the_dojo(dojo: Any) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    assert preview_of_the_messy_file(dojo)["letter"].splitlines() == LETTER_IN_PORTUGUESE.splitlines()


def preview_of_the_messy_file(dojo: Any) -> Any:
    """Return the report on a dry run, in a dojo that has one of the people and another one in its archive."""
    dojo.create("/rank-systems", {"preset": "aikikai"})
    rita = {"first_name": "Rita", "last_name": "Moura", "phone": "911 111 111", "external_id": "0001"}
    dojo.create("/students", {**rita, "birth_date": "2010-05-13"})
    ines = dojo.create("/students", {"first_name": "Inês", "last_name": "d'Orey"})
    dojo.admin.delete(f"/students/{ines['id']}")
    return import_csv(dojo.admin, messy_file(), DRY)
