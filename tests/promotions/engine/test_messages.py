"""Messages for parents: what they say, in English and in the other languages of the catalogues."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from tenant_apps.promotions.engine import (
    Approval,
    CriterionResult,
    DatedFact,
    NamedFact,
    Points,
    SessionsHeld,
    Status,
    StudentFacts,
)
from tenant_apps.promotions.engine.messages import MESSAGES
from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import parse_definition
from tests.promotions.engine.factories import (
    awarded,
    balance,
    converted,
    day,
    days_in_a_row,
    facts,
    handed_in,
    held,
    imported,
    ladder,
    result_for,
    trained,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", Status)
def test_every_kind_has_a_message_for_every_status(kind: str, status: Status) -> None:
    assert (kind, status) in MESSAGES


DAYS = {"kind": "attendance_count", "n": 5, "unit": "day"}
HELD = awarded("a", "2026-01-01")
HALF = {"sessions": SessionsHeld(held(days_in_a_row("2026-02-01", 8))), "attended": frozenset({1, 2, 3})}


def credential(on: str, until: str | None = None) -> dict[str, Any]:
    expires_on = None if until is None else day(until)
    return {"credentials": (NamedFact(which="first-aid", on=day(on), expires_on=expires_on),)}


def named(which: str, on: str) -> NamedFact:
    return NamedFact(which=which, on=day(on))


def points(on: str, number: float, category: str = "") -> Points:
    return Points(points=number, on=day(on), category=category)


def approval(which: str, on: str) -> Approval:
    return Approval(which=which, on=day(on), by="x", role="admin")


def hold(until: str | None) -> dict[str, Any]:
    return {"holds": (DatedFact(on=day("2026-05-01"), expires_on=None if until is None else day(until)),)}


CASES: list[tuple[dict[str, Any], StudentFacts, str, str]] = [
    (
        {"kind": "time_in_rank", "months": 1},
        facts(HELD),
        "The waiting time of 1 month since A on 1 January 2026 is over.",
        "O tempo de espera de 1 mês desde A em 1º de janeiro de 2026 já passou.",
    ),
    (
        {"kind": "time_in_rank", "months": 12, "active_only": "not_on_hold"},
        facts(HELD),
        "5 of 12 months of waiting time since A on 1 January 2026 are complete. Time on hold does not count."
        " It is enough from 1 January 2027 on.",
        "Desde A em 1º de janeiro de 2026 passaram 5 de 12 meses de tempo de espera. O tempo de pausa não conta."
        " Será suficiente a partir de 1º de janeiro de 2027.",
    ),
    (
        {"kind": "time_in_rank", "months": 6, "grace_days": 30},
        facts(awarded("a", "2026-02-15")),
        "3 of 6 months of waiting time since A on 15 February 2026 are complete. It may be up to 30 days shorter."
        " It is enough from 16 July 2026 on.",
        "Desde A em 15 de fevereiro de 2026 passaram 3 de 6 meses de tempo de espera."
        " Pode ser até 30 dias mais curto. Será suficiente a partir de 16 de julho de 2026.",
    ),
    (
        {"kind": "time_in_rank", "months": 5, "applies_if": {"kind": "age", "max": 13}},
        facts(HELD, born="2000-01-01"),
        "A waiting time of 5 months applies only to students aged under 14. So there is no waiting time here.",
        "Um tempo de espera de 5 meses só vale para alunos com menos de 14 anos. Portanto, aqui não há tempo de"
        " espera.",
    ),
    (
        DAYS,
        facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 4))),
        "4 of 5 days of training since A on 1 January 2026. 1 more is needed.",
        "4 de 5 dias de treino desde A em 1º de janeiro de 2026. Falta 1.",
    ),
    (
        DAYS,
        facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 6))),
        "6 days of training since A on 1 January 2026. Needed: 5.",
        "6 dias de treino desde A em 1º de janeiro de 2026. São necessários: 5.",
    ),
    (
        DAYS | {"unit": "session", "since": "ever", "max_per_day": 2},
        facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 1))),
        "1 of 5 classes attended in all. 4 more are needed. At most 2 classes a day count.",
        "1 de 5 aulas frequentadas ao todo. Faltam 4. Contam no máximo 2 aulas por dia.",
    ),
    (
        DAYS | {"unit": "hour"},
        facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 1), minutes=90)),
        "1.5 of 5 hours of training since A on 1 January 2026. 3.5 more are needed.",
        "1,5 de 5 horas de treino desde A em 1º de janeiro de 2026. Faltam 3,5.",
    ),
    (
        DAYS,
        facts(imported("a", "2026-01-01"), attendance=trained([day("2026-02-01")])),
        "5 days of training are needed. How much there was since A on 1 January 2026 is not known, because earlier"
        " training is not recorded here. The dojo can enter it as opening attendance, also if it was none.",
        "São necessários 5 dias de treino. Não se sabe quanto houve desde A em 1º de janeiro de 2026, porque o treino"
        " anterior não está registrado aqui. O dojo pode lançá-lo como frequência inicial, mesmo que tenha"
        " sido zero.",
    ),
    (
        {"kind": "attendance_rate", "percent": 60},
        facts(HELD, **HALF),
        "Attended 3 of the 8 classes offered since A on 1 January 2026: 37%. Needed: 60%.",
        "Frequentou 3 das 8 aulas oferecidas desde A em 1º de janeiro de 2026: 37%. Necessário: 60%.",
    ),
    (
        {"kind": "age", "min": 16},
        facts(HELD, born="2010-07-07"),
        "Is 15 years old; for this rank, the age must be 16 or more. It is enough from 7 July 2026 on.",
        "Tem 15 anos; para esta graduação, é preciso ter 16 anos ou mais. Será suficiente a partir de"
        " 7 de julho de 2026.",
    ),
    (
        {"kind": "age", "max": 14},
        facts(HELD, born="2010-07-07"),
        "Is 15 years old; for this rank, the age must be under 15.",
        "Tem 15 anos; para esta graduação, é preciso ter menos de 15 anos.",
    ),
    (
        {"kind": "age", "min": 10, "max": 15, "basis": "birth_year"},
        facts(HELD, born="2011-07-07"),
        "Turns 15 in 2026; for this rank, the age reached in the calendar year must be 10 to 15.",
        "Completa 15 anos em 2026; para esta graduação, é preciso completar no ano civil 10 a 15 anos.",
    ),
    (
        {"kind": "document", "which": "medical_certificate", "since": "ever"},
        facts(HELD),
        "Medical certificate: not handed in.",
        "Medical certificate: não entregue.",
    ),
    (
        {"kind": "document", "which": "essay"},
        facts(HELD, documents=(handed_in("essay", "2026-02-02"),)),
        "Essay: handed in on 2 February 2026.",
        "Essay: entregue em 2 de fevereiro de 2026.",
    ),
    (
        {"kind": "document", "which": "essay"},
        facts(HELD, documents=(handed_in("essay", "2025-12-02"),)),
        "Essay: handed in on 2 December 2025; a new one is needed since A on 1 January 2026.",
        "Essay: entregue em 2 de dezembro de 2025; é preciso entregar um novo desde A em 1º de janeiro de 2026.",
    ),
    (
        {"kind": "credential", "which": "first-aid", "max_age_months": 12},
        facts(HELD, **credential("2025-03-01")),
        "First aid: it is of 1 March 2025, more than 12 months old.",
        "First aid: é de 1º de março de 2025, há mais de 12 meses.",
    ),
    (
        {"kind": "credential", "which": "first-aid", "max_age_months": 12},
        facts(HELD, **credential("2026-03-01", "2026-04-30")),
        "First aid: expired; it was valid until 30 April 2026.",
        "First aid: vencido; era válido até 30 de abril de 2026.",
    ),
    (
        {"kind": "standing"},
        facts(HELD, **hold("2026-12-31")),
        "Is on hold up to and including 31 December 2026.",
        "Está em pausa até 31 de dezembro de 2026, inclusive.",
    ),
    (
        {"kind": "standing"},
        facts(HELD, **hold(None)),
        "Is on hold, without a last day.",
        "Está em pausa, sem data final.",
    ),
    (
        {"kind": "standing"},
        facts(HELD, active=False, status="trial"),
        "Is on trial; only active students are promoted.",
        "Está em período de experiência; só alunos ativos são promovidos.",
    ),
    (
        {"kind": "skills", "which": ["ukemi", "kata"]},
        facts(HELD, skills=(NamedFact(which="ukemi", on=day("2026-02-01")),)),
        "Skills shown: 1 of 2. Still to be shown: kata.",
        "Habilidades demonstradas: 1 de 2. Ainda faltam: kata.",
    ),
    (
        {"kind": "approval", "which": "exam", "by": "instructor"},
        facts(HELD),
        "Exam: no valid approval since A on 1 January 2026. An instructor or the head of the dojo approves.",
        "Exam: nenhuma aprovação válida desde A em 1º de janeiro de 2026. Quem aprova é um instrutor ou o responsável"
        " pelo dojo.",
    ),
    (
        {"kind": "at_most", "n": 2, "of": "exam", "calendar_year": True},
        facts(HELD, exams=(day("2026-03-01"), day("2026-05-01"))),
        "At most 2 exams are allowed. Those of the calendar year count. So far: 2. The next one is possible from"
        " 1 January 2027 on.",
        "São permitidos no máximo 2 exames. Contam os do ano civil. Até agora: 2. O próximo é possível a partir de"
        " 1º de janeiro de 2027.",
    ),
    (
        {"kind": "retest_gap", "months": 3},
        facts(HELD, failed_tests=(day("2026-05-05"),)),
        "A test was failed on 5 May 2026; there is a waiting time of 3 months. The next one is possible from"
        " 5 August 2026 on.",
        "Reprovação no exame de 5 de maio de 2026; há um tempo de espera de 3 meses. O próximo é possível a partir de"
        " 5 de agosto de 2026.",
    ),
    (
        {"kind": "time_in_rank", "months": 12, "active_only": "member"},
        facts(HELD),
        "A waiting time of 12 months is needed. Only time with a membership counts, and no membership is recorded.",
        "É necessário um tempo de espera de 12 meses. Só conta o tempo com filiação, e não há filiação registrada.",
    ),
    (
        {"kind": "age", "min": 14},
        facts(HELD, born="2010-07-07"),
        "Is 15 years old; for this rank, the age must be 14 or more.",
        "Tem 15 anos; para esta graduação, é preciso ter 14 anos ou mais.",
    ),
    (
        {"kind": "age", "min": 16},
        facts(HELD),
        "The date of birth is not recorded; for this rank, the age must be 16 or more.",
        "A data de nascimento não está registrada; para esta graduação, é preciso ter 16 anos ou mais.",
    ),
    (
        {"kind": "rank_held_before", "ranks": ["a", "c"]},
        facts(HELD),
        "Holds or has held A or C, as this way requires.",
        "Tem ou já teve A ou C, como este caminho exige.",
    ),
    (
        {"kind": "rank_held_before", "ranks": ["b", "c"], "min_months": 6},
        facts(HELD),
        "This way is only for those who hold or have held B or C. It must have been held for 6 months"
        " without a break.",
        "Este caminho é só para quem tem ou já teve B ou C. Deve ter sido mantida por 6 meses sem interrupção.",
    ),
    (
        {"kind": "rank_held_before", "ranks": ["a"], "registered_at_age": {"min": 16, "max": 17}},
        facts(HELD),
        "This way is only for those who hold or have held A. It must have been received by a person aged 16"
        " to 17. The date of birth is not recorded.",
        "Este caminho é só para quem tem ou já teve A. Deve ter sido recebida por alguém com 16 a 17 anos. A"
        " data de nascimento não está registrada.",
    ),
    (
        {"kind": "attendance_rate", "percent": 30, "window_months": 12},
        facts(HELD, **HALF),
        "Attended 3 of the 8 classes offered in the last 12 months: 37%. Needed: 30%.",
        "Frequentou 3 das 8 aulas oferecidas nos últimos 12 meses: 37%. Necessário: 30%.",
    ),
    (
        {"kind": "attendance_rate", "percent": 60, "of": "discipline"},
        facts(HELD),
        "Of the classes offered, 60% must be attended. All classes that are open to this rank count. No"
        " class was offered yet in the time that counts.",
        "Das aulas oferecidas, é preciso frequentar 60%. Contam todas as aulas abertas a esta graduação."
        " Ainda não foi oferecida nenhuma aula no período que conta.",
    ),
    (
        {"kind": "points", "n": 3, "category": "kata"},
        facts(HELD, points=(points("2026-02-01", 5, "kata"),)),
        "Points in kata since A on 1 January 2026: 5. Needed: 3.",
        "Pontos em kata desde A em 1º de janeiro de 2026: 5. São necessários: 3.",
    ),
    (
        {"kind": "points", "n": 6},
        facts(HELD, points=(points("2026-02-01", 2.5),)),
        "Points since A on 1 January 2026: 2.5. Needed: 6.",
        "Pontos desde A em 1º de janeiro de 2026: 2,5. São necessários: 6.",
    ),
    (
        {"kind": "achievement", "which": "adult-world-champion"},
        facts(HELD, achievements=(named("Adult world champion", "2026-02-01"),)),
        "Adult world champion: achieved on 1 February 2026.",
        "Adult world champion: conquistado em 1º de fevereiro de 2026.",
    ),
    (
        {"kind": "achievement", "which": "adult-world-champion", "at_rank": "a"},
        facts(HELD),
        "Adult world champion: not achieved as A.",
        "Adult world champion: não conquistado como A.",
    ),
    (
        {"kind": "skills", "which": ["ukemi", "kata"]},
        facts(HELD, skills=(named("ukemi", "2026-02-01"), named("kata", "2026-02-01"))),
        "All skills were shown: ukemi, kata.",
        "Todas as habilidades foram demonstradas: ukemi, kata.",
    ),
    (
        {"kind": "approval", "which": "exam"},
        facts(HELD, approvals=(approval("exam", "2026-02-01"),)),
        "Exam: approved by 1 person.",
        "Exam: aprovado por 1 pessoa.",
    ),
    (
        {"kind": "credential", "which": "first-aid", "max_age_months": 12},
        facts(HELD, **credential("2026-03-01")),
        "First aid: valid, of 1 March 2026.",
        "First aid: válido, de 1º de março de 2026.",
    ),
    (
        {"kind": "event_count", "event": "seminar", "n": 1},
        facts(HELD, achievements=(named("seminar", "2026-02-01"),)),
        "Seminar: 1 since A on 1 January 2026. Needed: 1.",
        "Seminar: 1 desde A em 1º de janeiro de 2026. São necessários: 1.",
    ),
    (
        {"kind": "event_count", "event": "seminar", "n": 2, "window_months": 12},
        facts(HELD, achievements=(named("seminar", "2026-02-01"),)),
        "Seminar: 1 in the last 12 months. Needed: 2.",
        "Seminar: 1 nos últimos 12 meses. São necessários: 2.",
    ),
    (
        {"kind": "standing"},
        facts(HELD),
        "Is an active student.",
        "É aluno ativo.",
    ),
    (
        {"kind": "sub_ranks", "n": 1},
        facts(HELD, awarded("a-1", "2026-02-01")),
        "Has 1 stripe on A. Needed: 1.",
        "Tem 1 grau em A. São necessários: 1.",
    ),
    (
        {"kind": "sub_ranks", "n": 2},
        facts(HELD, awarded("a-1", "2026-02-01")),
        "Has 1 of 2 stripes on A.",
        "Tem 1 de 2 graus em A.",
    ),
    (
        {"kind": "retest_gap", "months": 3},
        facts(HELD, failed_tests=(day("2026-02-02"),)),
        "The waiting time of 3 months after the failed test on 2 February 2026 is over.",
        "O tempo de espera de 3 meses depois da reprovação de 2 de fevereiro de 2026 já passou.",
    ),
    (
        {"kind": "total_training_time", "months": 24},
        facts(HELD, joined="2024-01-10"),
        "Has trained for 28 months in all, since 10 January 2024. Needed: 24.",
        "Treina há 28 meses ao todo, desde 10 de janeiro de 2024. São necessários: 24.",
    ),
    (
        {"kind": "total_training_time", "months": 36},
        facts(HELD, joined="2024-01-10"),
        "Has trained for 28 of 36 months in all, since 10 January 2024. It is enough from 10 January 2027 on.",
        "Treina há 28 de 36 meses ao todo, desde 10 de janeiro de 2024. Será suficiente a partir de 10 de"
        " janeiro de 2027.",
    ),
    (
        {"kind": "at_most", "n": 2, "of": "exam", "window_months": 12},
        facts(HELD, exams=(day("2026-03-01"),)),
        "At most 2 exams are allowed. Those of the last 12 months count. So far: 1.",
        "São permitidos no máximo 2 exames. Contam os dos últimos 12 meses. Até agora: 1.",
    ),
]  # fmt: skip


def result_of(criterion: dict[str, Any], student: StudentFacts) -> CriterionResult:
    """Return the result of a holder of A (with a stripe, if the rank events say so) for B, as of 1 June 2026."""
    document = ladder(criterion).as_document()
    document["ranks"].insert(1, {"code": "a-1", "name": "A, 1st stripe", "kind": "sub_rank"})
    (result,) = result_for(parse_definition(document), student, "2026-06-01", "b").criteria
    return result


def message(criterion: dict[str, Any], student: StudentFacts) -> str:
    return result_of(criterion, student).message


@pytest.mark.parametrize(("criterion", "student", "english", "portuguese"), CASES)
def test_a_message_says_what_there_is_and_what_is_needed(
    criterion: dict[str, Any], student: StudentFacts, english: str, portuguese: str
) -> None:
    assert message(criterion, student) == english
    with translation.override("pt-br"):
        assert message(criterion, student) == portuguese
    with translation.override("fr"):
        assert message(criterion, student) == re.sub(r"(\d)\.(\d)", r"\1,\2", english)


def test_after_a_failed_test_a_message_names_the_test() -> None:
    document = ladder(DAYS).as_document()
    document["steps"][1]["anchor"] = "last_test"
    student = facts(
        HELD, attendance=trained(days_in_a_row("2026-02-01", 82)), failed_tests=(day("2026-04-22"),)
    )
    (result,) = result_for(parse_definition(document), student, "2026-06-01", "b").criteria
    assert (
        result.message == "1 of 5 days of training since the failed test on 22 April 2026. 4 more are needed."
    )


def test_after_a_conversion_that_carries_the_clock_a_message_names_the_rank_before() -> None:
    document = ladder({"kind": "time_in_rank", "months": 40}).as_document()
    document["steps"].append(
        {**document["steps"][1], "from": "c", "to": "a", "type": "convert", "clock": "carries"}
    )
    student = facts(awarded("c", "2024-05-20"), converted("a", "2026-01-07"))
    (result,) = result_for(parse_definition(document), student, "2026-06-01", "b").criteria
    assert result.message.startswith("24 of 40 months of waiting time since C on 20 May 2024 are complete.")


def test_over_an_age_limit_a_message_suggests_the_conversion() -> None:
    document = ladder({"kind": "age", "max": 14}).as_document()
    document["steps"].append({**document["steps"][1], "to": "c", "type": "convert"})
    rules = parse_definition(document)
    result = result_for(rules, facts(HELD, born="2010-07-07"), "2026-06-01", "b")
    assert result.criteria[0].message == (
        "Is 15 years old; for this rank, the age must be under 15. Instead, a conversion to C is possible."
    )
    assert result.suggested_rank == "c"
    young = result_for(rules, facts(HELD, born="2013-07-07"), "2026-06-01", "b")
    assert young.suggested_rank is None


@pytest.mark.parametrize(
    ("unit", "balance_unit", "known"),
    [
        ("day", None, True), ("session", None, True), ("hour", None, False),
        ("day", "session", False), ("session", "session", True), ("hour", "session", False),
        ("day", "day", True), ("session", "day", True), ("hour", "day", False),
        ("day", "hour", False), ("session", "hour", False), ("hour", "hour", True),
    ],
)  # fmt: skip
def test_a_balance_counts_in_its_own_unit(unit: str, balance_unit: str | None, known: bool) -> None:
    brought = balance("2026-01-02", 3, unit=balance_unit)
    student = facts(imported("a", "2026-01-01"), opening_balances=(brought,))
    (result,) = result_for(ladder({**DAYS, "unit": unit}), student, "2026-06-01", "b").criteria
    assert (result.status, result.have) == (("not_met", 3) if known else ("unknown", None))
    assert ("not in this unit" in result.message) is not known


def test_messages_are_written_for_the_day_asked() -> None:
    visits = trained(days_in_a_row("2026-02-01", 9))
    (result,) = result_for(ladder(DAYS), facts(HELD, attendance=visits), "2026-02-03", "b").criteria
    assert result.message == (
        "3 of 5 days of training since A on 1 January 2026. 2 more are needed. It is enough from 5 February 2026 on."
    )


PAGE = Path(__file__).resolve().parents[3] / "docs" / "rank-rules.md"


def test_the_table_in_the_documentation_shows_one_message_of_each() -> None:
    table = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    shown = {}
    for criterion, student, english, portuguese in CASES:
        key = (criterion["kind"], result_of(criterion, student).status.value)
        shown.setdefault(key, (english, portuguese))
    assert {(kind, status): (en, pt) for kind, status, en, pt in table} == shown
    assert {kind for kind, _ in shown} == set(KINDS)
