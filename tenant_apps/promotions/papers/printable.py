"""What may be printed of what people typed."""

import unicodedata
from typing import Final

INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Control characters, bidi overrides and the like, lone surrogates, private use, not assigned."""
JOINERS: Final = {"\u200c", "\u200d"}
"""Invisible too, but Persian and the scripts of India need them."""
BULLETS: Final = ("- ", "• ", "* ")
LONGEST_LINE: Final = 300
LONGEST_TEXT: Final = 50_000


def line(text: str, *, longest: int = LONGEST_LINE) -> str:
    """Return `text` on one line: composed (NFC), without invisible characters, at most `longest` of them.

    What is cut ends in an ellipsis.
    """
    spaced = "".join(
        " " if character.isspace() else character for character in unicodedata.normalize("NFC", text)
    )
    seen = "".join(c for c in spaced if c in JOINERS or unicodedata.category(c) not in INVISIBLE)
    words = " ".join(seen.split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def paragraphs(text: str) -> list[dict[str, str | list[str]]]:
    """Return plain text as `{"text"}` and `{"items"}`, in order.

    A line that begins with "- " is an item; an indented line after it continues it. An empty line parts paragraphs,
    a single line break stays one. Texts of over 50,000 characters are cut.
    """
    parts: list[dict[str, str | list[str]]] = []
    follows = False
    for raw in text[:LONGEST_TEXT].splitlines():
        words = line(raw, longest=LONGEST_TEXT)
        last = parts[-1] if parts else {}
        items, said = last.get("items"), last.get("text")
        if not words:
            follows = False
        elif words.startswith(BULLETS):
            if not isinstance(items, list):
                items = []
                parts.append({"items": items})
            items.append(words[1:].strip())
            follows = True
        elif follows and isinstance(items, list) and raw[0].isspace():
            items[-1] += f" {words}"
        elif follows and isinstance(said, str):
            last["text"] = f"{said}\n{words}"
        else:
            parts.append({"text": words})
            follows = True
    return parts
