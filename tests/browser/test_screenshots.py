"""The pictures of README and docs, from a demo dojo. `make screenshots` writes them; `make test` leaves them out.

Each is at most 150 KB. They show the desk, the kiosk and the page of a family as they are on the day they are made.
"""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import DESK, PHONE, Site, open_context, sign_in

pytestmark = pytest.mark.screenshots
FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MAX_BYTES: Final = 150 * 1024

PICTURES: Final[list[tuple[str, str, str, dict[str, int], str]]] = [
    ("desk", "admin", "/desk", DESK, "light"),
    ("desk-dark", "admin", "/desk", DESK, "dark"),
    ("students", "admin", "/desk/students", DESK, "light"),
    ("schedule", "admin", "/desk/schedule", DESK, "light"),
    ("promotions", "admin", "/desk/promotions", DESK, "light"),
    ("family", "parent", "/family", PHONE, "light"),
    ("kiosk", "admin", "/kiosk", PHONE, "light"),
]


@pytest.mark.parametrize(
    ("name", "role", "path", "size", "scheme"), PICTURES, ids=[one[0] for one in PICTURES]
)
def test_a_picture_is_made(
    chromium: Browser, site: Site, name: str, role: str, path: str, size: dict[str, int], scheme: Any
) -> None:
    context = open_context(chromium, viewport=size, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, site, role)
    page.goto(site.url + path, wait_until="networkidle")
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = page.screenshot(path=FOLDER / f"{name}.png")
    context.close()
    assert len(picture) <= MAX_BYTES
