"""The style sheet: each area styles its own classes, so that no page changes the look of another."""

import re
from collections import defaultdict

from tests.repository.pages import ROOT

STYLES = ROOT / "tenant_apps" / "desk" / "static" / "desk" / "desk.css"
AREAS = {"students", "schedule", "promotions", "office", "kiosk", "family"}
SHARED = {"belt", "badge", "button", "card", "eyebrow", "face", "head", "list", "toast", "field"}
"""Parts of all pages that an area may place differently inside its own."""


def classes_by_area() -> dict[str, set[str]]:
    """Return each class with which a selector begins, and the areas that style it."""
    parts = re.split(r"/\* --- ([\w ]+) --- \*/", STYLES.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = defaultdict(set)
    for area, body in zip(parts[1::2], parts[2::2], strict=True):
        for rule in re.findall(r"([^{}]+)\{", re.sub(r"(?s)/\*.*?\*/", "", body)):
            for selector in rule.split(","):
                begins = re.match(r"\s*(?:[a-z]+)?\.([a-z-]+)", selector)
                if begins and area in AREAS:
                    found[begins[1]].add(area)
    return found


def test_no_two_areas_style_the_same_class() -> None:
    found = classes_by_area()
    assert len(found) > 50
    assert {name: areas for name, areas in found.items() if len(areas) > 1 and name not in SHARED} == {}
