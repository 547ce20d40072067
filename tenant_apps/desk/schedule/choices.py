"""Choices of the forms of the schedule, as `(value, label)`."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext

from tenant_apps.desk.page import Page


def disciplines(page: Page) -> list[tuple[str, str]]:
    """Return the disciplines of the dojo, and none."""
    found = page.ask("disciplines", query={"page_size": 200, "ordering": "name"})["results"]
    return [("", gettext("None")), *_named(found)]


def classes(page: Page) -> list[tuple[str, str]]:
    """Return the classes that are not archived, by name."""
    return _named(page.ask("classes", query={"page_size": 200, "ordering": "name"})["results"])


def ranks(page: Page) -> list[Any]:
    """Return the ranks, grouped by their rank system, and none."""
    systems = page.ask("rank-systems", query={"page_size": 200})["results"]
    return [("", gettext("None")), *[(one["name"], _named(one["ranks"])) for one in systems]]


def with_current(choices: list[Any], current: Iterable[Mapping[str, Any] | None]) -> list[Any]:
    """Return the choices and those values of an object that are none of them: an archived discipline, a user who left.

    Otherwise a form would show another value, and saving it would change one that was not touched.
    """
    known = {value for entry in choices for value, _ in (entry[1] if isinstance(entry[1], list) else [entry])}
    return [*choices, *_named([one for one in current if one and one["id"] not in known])]


def _named(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(one["id"], one["name"]) for one in rows]
