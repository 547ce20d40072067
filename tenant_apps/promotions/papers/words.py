"""The words of the papers, in the languages that a dojo may choose."""

from collections.abc import Mapping
from typing import Final

from tenant_apps.dojo.dates import Language

CERTIFICATE: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "title": "Certificate of Rank",
        "certify": "This is to certify that",
        "awarded": "has been awarded the rank of",
        "date": "Date",
        "number": "Number",
        "examiner": "Examiner",
        "verify": "Is this certificate genuine?",
    },
    "pt-br": {
        "title": "Certificado de Graduação",
        "certify": "Certificamos que",
        "awarded": "alcançou a graduação de",
        "date": "Data",
        "number": "Número",
        "examiner": "Examinador(a)",
        "verify": "Este certificado é autêntico?",
    },
}

SIGNATURES_ON_EXAM_PAPERS: Final = 12
"""The most that there is room for."""

EXAM: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "sheet": "Candidate’s sheet",
        "list": "Examiners’ list",
        "date": "Date",
        "location": "Place",
        "number": "No.",
        "candidate": "Candidate",
        "name": "Name",
        "now": "Rank now",
        "sought": "Rank sought",
        "syllabus": "What is examined",
        "no_syllabus": "No syllabus is written down for this rank.",
        "mark": "Mark",
        "result": "Result",
        "passed": "Passed",
        "failed": "Failed",
        "absent": "Absent",
        "remarks": "Remarks",
        "examiners": "Examiners",
        "candidates": "Candidates",
        "signature": "Signature",
        "page": "Page",
        "of": "of",
    },
    "pt-br": {
        "sheet": "Ficha do candidato",
        "list": "Lista dos examinadores",
        "date": "Data",
        "location": "Local",
        "number": "Nº",
        "candidate": "Candidato(a)",
        "name": "Nome",
        "now": "Graduação atual",
        "sought": "Graduação pretendida",
        "syllabus": "O que é examinado",
        "no_syllabus": "Não há programa registrado para esta graduação.",
        "mark": "Nota",
        "result": "Resultado",
        "passed": "Aprovado(a)",
        "failed": "Reprovado(a)",
        "absent": "Ausente",
        "remarks": "Observações",
        "examiners": "Examinadores",
        "candidates": "Candidatos",
        "signature": "Assinatura",
        "page": "Página",
        "of": "de",
    },
}


def letters(language: Language) -> dict[str, str | None]:
    """Return how Typst names the language, for hyphens and for readers of the file."""
    tongue, _, region = language.partition("-")
    return {"lang": tongue, "region": region or None}
