"""The columns that a file names in its headings: in any case, with spaces or hyphens, in English or Portuguese."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tatami.text import normalise

_IN_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

WHOLE_NAME: Final = "name"
"""A column with the whole name, which is split into first and last name."""
FROM_WHOLE_NAME: Final = frozenset({"first_name", "last_name"})

PERSON_IN_WORDS: Final[Mapping[str, str]] = {
    "external_id": "id, member id, member no, member number, membership no, membership number, student id, student no, "
    "student number, customer id, matricula, numero de matricula, no de matricula, socio, numero de "
    "socio, no de socio, codigo do aluno, registro, registo, id externo",
    "first_name": "firstname, first, given name, given names, forename, forenames, christian name, primeiro nome, nome "
    "proprio, prenome",
    "last_name": "lastname, last, surname, family name, sobrenome, apelido, apelidos, ultimo nome, nome de familia",
    WHOLE_NAME: "full name, fullname, complete name, student, student name, member, member name, nome, nome completo, "
    "aluno, nome do aluno, aluna, atleta, praticante",
    "birth_date": "birthdate, birthday, birth day, date of birth, dob, d o b, born, born on, data de nascimento, data "
    "nascimento, dt nascimento, data nasc, dt nasc, nascimento, nascido em, aniversario",
}
STUDENT_IN_WORDS: Final[Mapping[str, str]] = {
    **PERSON_IN_WORDS,
    "preferred_name": "preferred, nickname, nick name, known as, called, nome preferido, nome social, alcunha",
    "name_order": "order of names, ordem do nome, ordem dos nomes",
    "email": "e mail, mail, email address, e mail address, mail address, correio eletronico, correio electronico, "
    "endereco de email, endereco de e mail",
    "phone": "telephone, tel, mobile, mobile phone, cell, cell phone, cellphone, phone number, telephone number, "
    "mobile number, telefone, telemovel, celular, fone, numero de telefone, whatsapp, contacto telefonico",
    "gender": "sex, sexo, genero",
    "status": "membership status, member status, situacao",
    "joined_on": "joined, join date, date joined, joined date, joining date, member since, membership start, start "
    "date, data de inscricao, data de entrada, data de ingresso, data de adesao, data de inicio, inscrito "
    "em, membro desde, socio desde",
    "medical_notes": "medical, medical note, medical information, medical info, medical conditions, health, "
    "health notes, notas medicas, observacoes medicas, informacoes medicas, saude, problemas de saude, restricoes "
    "medicas",
    "rank_system": "ranking system, grading system, sistema, sistema de graduacao, sistema de graduacoes",
    "rank": "grade, belt colour, belt color, current rank, current grade, current belt, graduacao, graduacao "
    "atual, faixa, cinto, cinturao",
    "rank_on": "rank date, date of rank, grade date, date of grade, grading date, last grading, belt date, rank "
    "since, graded on, data da graduacao, data de graduacao, data da faixa, data do exame, ultimo exame, "
    "ultima graduacao",
    "opening_attendance": "attendance, attendances, previous attendance, classes attended, sessions attended, visits, "
    "presencas, aulas, aulas assistidas, treinos",
}
RECORD_IN_WORDS: Final[Mapping[str, str]] = {
    **PERSON_IN_WORDS,
    "rank_system": STUDENT_IN_WORDS["rank_system"],
    "rank": STUDENT_IN_WORDS["rank"],
    "kind": "type, tipo",
    "effective_on": f"date, on, awarded on, {STUDENT_IN_WORDS['rank_on']}, data, em",
    "on": "date, effective on, data, em",
    "expires_on": "expires, expiry, expiry date, expiration date, valid until, valido ate, validade, vencimento, "
    "expira em",
    "value": "valor",
    "date": "day, class date, session date, data, dia",
    "time": "start, start time, starts, hora, horario",
    "class": "class name, training, course, turma, aula, treino",
    "class_session": "session, session name, sessao",
    "class_session_id": "session id",
    "checked_in_at": "checked in, check in, check in time, entrada",
    "category": "categoria",
    "note": "notes, comment, comments, remark, remarks, nota, notas, observacao, observacoes, comentario",
}


class Headings:
    """The columns of one kind of import, and the words that people write for them.

    `is_column` accepts the names of the API. `in_words` lists other headings for a column, normalised; `translate`
    returns the column for a heading with a number, such as `parent 2 phone`.
    """

    def __init__(
        self,
        is_column: Callable[[str], bool],
        in_words: Mapping[str, str],
        translate: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.is_column, self._translate = is_column, translate
        self._by_words = {
            word.strip().replace(" ", "_"): name
            for name, words in in_words.items()
            if is_column(name)
            for word in words.split(",")
        }

    def is_known(self, heading: str) -> bool:
        """Return whether a heading names a column."""
        return self.is_column(self._column(heading))

    def columns(self, headings: Sequence[str]) -> list[str]:
        """Return the column for each heading; for an unknown one its own text, normalised.

        `Name` beside a last name is the first name.
        """
        found = [self._column(heading) for heading in headings]
        if WHOLE_NAME in found and "last_name" in found and "first_name" not in found:
            found[found.index(WHOLE_NAME)] = "first_name"
        return found

    def _column(self, heading: str) -> str:
        bare = _IN_BRACKETS.sub(" ", heading[:200])
        for text in dict.fromkeys((heading[:200], bare, _BETWEEN_WORDS.sub(" ", bare))):
            name = _NOT_WORDS.sub("_", normalise(text)).strip("_")
            for column in (name, self._by_words.get(name), self._translate(name)):
                if column and self.is_column(column):
                    return column
        return _NOT_WORDS.sub("_", normalise(heading[:200])).strip("_")
