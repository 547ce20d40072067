"""The program and the system of a session, in words, from what a program says of itself (`User-Agent`)."""

from typing import Final

from django.utils.translation import gettext

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""A mark → its browser. Browsers claim to be others, too, so the most particular mark comes first."""
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def program_name(user_agent: str) -> str:
    """Return `Firefox, Windows`; for a program that is no browser its own name, without the version."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    own_name = user_agent.partition("/")[0].strip()
    known = ", ".join(one for one in (browser or (own_name if own_name != "Mozilla" else ""), system) if one)
    return known or gettext("An unknown program")
