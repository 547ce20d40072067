"""The choices of the filters and forms of this area: `(value, label)` pairs, ranks in groups by rank system."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from tenant_apps.desk.page import Page

_MOST: Final = 200
"""The longest page of the API. No dojo has so many classes or rank systems in use."""

Choices = list[tuple[str, Any]]


def rank_systems(page: Page) -> list[dict[str, Any]]:
    """Return the rank systems in use with their ranks, as the API shows them. Three statements."""
    found: list[dict[str, Any]] = page.ask("rank-systems", query={"page_size": _MOST})["results"]
    return found


def class_choices(page: Page, empty: str = "") -> Choices:
    """Return the classes in use."""
    return named_choices(page.ask("classes", query={"page_size": _MOST})["results"], empty)


def discipline_choices(page: Page, empty: str = "") -> Choices:
    """Return the disciplines in use."""
    return named_choices(page.ask("disciplines", query={"page_size": _MOST})["results"], empty)


def offer(form: forms.Form, **choices: Choices) -> None:
    """Set the choices of some fields of a form."""
    for name, values in choices.items():
        field = form.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = values


def named_choices(rows: Iterable[Mapping[str, Any]], empty: str = "") -> Choices:
    """Return rows with `id` and `name`. With `empty`, the first choice is none of them, and has this label."""
    return [*_none(empty), *((row["id"], row["name"]) for row in rows)]


def rank_choices(systems: Sequence[Mapping[str, Any]], empty: str = "") -> Choices:
    """Return the ranks of rank systems, the lowest first; in groups if there are several systems."""
    if len(systems) == 1:
        return [*_none(empty), *_ranks(systems[0])]
    return [*_none(empty), *((system["name"], _ranks(system)) for system in systems)]


def unchanged() -> str:
    """Return the label of the choice that filters nothing."""
    return gettext("All")


def _ranks(system: Mapping[str, Any]) -> Choices:
    return [(rank["id"], rank["name"]) for rank in system["ranks"]]


def _none(empty: str) -> Choices:
    return [("", empty)] if empty else []
