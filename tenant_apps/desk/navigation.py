"""The entries of the navigation: those pages that the user's role may open, in the order of their use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the name of its route without `desk:`, its address, label and icon."""

    name: str
    url: str
    label: "str | Promise"
    icon: str


_ENTRIES: Final = (
    ("today", gettext_lazy("Today")),
    ("schedule", gettext_lazy("Schedule")),
    ("students", gettext_lazy("Students")),
    ("promotions", gettext_lazy("Promotions")),
    ("messages", gettext_lazy("Messages")),
    ("reports", gettext_lazy("Reports")),
    ("settings", gettext_lazy("Settings")),
    ("family", gettext_lazy("Family")),
)


def navigation(may: Callable[[str], bool]) -> list[Entry]:
    """Return the entries whose route `may` allows."""
    return [
        Entry(name, reverse(f"desk:{name}"), label, name) for name, label in _ENTRIES if may(f"desk:{name}")
    ]
