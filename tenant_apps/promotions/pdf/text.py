"""The text of PDF documents: text that people typed, made printable, and the fixed words in each language."""

import unicodedata
from typing import Final

from django.utils import translation
from django.utils.translation import pgettext

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


def certificate_words(language: Language) -> dict[str, str]:
    """Return the fixed words of a certificate in a language."""
    with translation.override(language):
        return {
            "title": pgettext("certificate", "Certificate of Rank"),
            "certify": pgettext("certificate: a name follows", "This is to certify that"),
            "awarded": pgettext("certificate: a rank follows", "has been awarded the rank of"),
            "date": pgettext("certificate", "Date"),
            "number": pgettext("certificate", "Number"),
            "licence": pgettext("certificate", "Licence"),
            "examiner": pgettext("certificate", "Examiner"),
            "verify": pgettext("certificate", "Is this certificate genuine?"),
            "void": pgettext("certificate", "Void"),
            "voided": pgettext("certificate: a date follows", "Voided on"),
        }


def exam_words(language: Language) -> dict[str, str]:
    """Return the fixed words of the papers of an exam in a language."""
    with translation.override(language):
        return {
            "sheet": pgettext("exam", "Candidate’s sheet"),
            "list": pgettext("exam", "Examiners’ list"),
            "report": pgettext("exam", "Report to the federation"),
            "date": pgettext("exam", "Date"),
            "location": pgettext("exam", "Place"),
            "number": pgettext("exam", "No."),
            "candidate": pgettext("exam", "Candidate"),
            "name": pgettext("exam", "Name"),
            "born": pgettext("exam", "Born"),
            "licence": pgettext("exam", "Licence"),
            "now": pgettext("exam", "Rank now"),
            "before": pgettext("exam", "Rank before"),
            "sought": pgettext("exam", "Rank sought"),
            "certificate": pgettext("exam", "Certificate"),
            "syllabus": pgettext("exam", "What is examined"),
            "no_syllabus": pgettext("exam", "No syllabus is written down for this rank."),
            "mark": pgettext("exam", "Mark"),
            "result": pgettext("exam", "Result"),
            "passed": pgettext("exam", "Passed"),
            "failed": pgettext("exam", "Failed"),
            "absent": pgettext("exam", "Absent"),
            "remarks": pgettext("exam", "Remarks"),
            "examiners": pgettext("exam", "Examiners"),
            "candidates": pgettext("exam", "Candidates"),
            "signature": pgettext("exam", "Signature"),
            "page": pgettext("exam", "Page"),
            "of": pgettext("exam: page 1 of 2", "of"),
            "not_finished": pgettext("exam", "This exam is not finished: the results are provisional."),
        }


def typst_language(language: Language) -> dict[str, str | None]:
    """Return the language as Typst names it, for hyphenation and for screen readers."""
    code, _, region = language.partition("-")
    return {"lang": code, "region": region or None}
