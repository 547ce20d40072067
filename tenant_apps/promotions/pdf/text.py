"""The text of PDF documents: text that people typed, made printable, and the fixed words in each language."""

import unicodedata
from collections.abc import Mapping
from typing import Final

from tenant_apps.dojo.dates import Language

INVISIBLE_CATEGORIES: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories: control, format (bidi overrides), surrogate, private use and unassigned characters."""
JOINERS: Final = {"\u200c", "\u200d"}
"""Format characters that Persian and the scripts of India need."""
BULLETS: Final = ("- ", "• ", "* ")
MAX_LINE_LENGTH: Final = 300
MAX_TEXT_LENGTH: Final = 50_000


def one_line(text: str, *, max_length: int = MAX_LINE_LENGTH) -> str:
    """Return `text` on one line: composed (NFC), without invisible characters, at most `max_length` characters.

    A text that is cut ends with an ellipsis.
    """
    spaced = "".join(
        " " if character.isspace() else character for character in unicodedata.normalize("NFC", text)
    )
    visible = "".join(
        c for c in spaced if c in JOINERS or unicodedata.category(c) not in INVISIBLE_CATEGORIES
    )
    words = " ".join(visible.split())
    return words if len(words) <= max_length else words[: max_length - 1].rstrip() + "…"


def paragraphs(text: str) -> list[dict[str, str | list[str]]]:
    """Return plain text as a list of paragraphs (`{"text": …}`) and lists (`{"items": […]}`), in order.

    A line that begins with "- " is an item; an indented line after it continues the item. An empty line separates
    paragraphs, a single line break is kept. A text of more than 50,000 characters is cut.
    """
    parts: list[dict[str, str | list[str]]] = []
    continues = False
    for raw in text[:MAX_TEXT_LENGTH].splitlines():
        words = one_line(raw, max_length=MAX_TEXT_LENGTH)
        last = parts[-1] if parts else {}
        items, paragraph = last.get("items"), last.get("text")
        if not words:
            continues = False
        elif words.startswith(BULLETS):
            if not isinstance(items, list):
                items = []
                parts.append({"items": items})
            items.append(words[1:].strip())
            continues = True
        elif continues and isinstance(items, list) and raw[0].isspace():
            items[-1] += f" {words}"
        elif continues and isinstance(paragraph, str):
            last["text"] = f"{paragraph}\n{words}"
        else:
            parts.append({"text": words})
            continues = True
    return parts


CERTIFICATE_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
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

EXAM_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
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


def typst_language(language: Language) -> dict[str, str | None]:
    """Return the language as Typst names it, for hyphenation and for screen readers."""
    code, _, region = language.partition("-")
    return {"lang": code, "region": region or None}
