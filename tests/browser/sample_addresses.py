"""An address of each page, with objects that the demo dojo has."""

import re
from functools import cache
from typing import Any, Final

from playwright.sync_api import Page

from tatami.api.routes import Route
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.promotions.models import Batch, Exam
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student
from tests.browser.conftest import Site

FILLED: Final = {"tab": "dojo", "kind": "passkey", "report": "attendance", "name": "free", "week": "2026-W23"}
NO_DOCUMENT: Final = {
    "desk:report-file",
    "desk:export-file",
    "desk:sign-in",
    "desk:brand",
    "desk:logo",
    "desk:sign-in-provider",
    "desk:sign-in-return",
    "desk:entry",
    "desk:exam-examiners-list",
    "desk:exam-certificates",
    "desk:exam-federation-report",
    "desk:exam-sheet",
    "desk:certificate-pdf",
    "desk:students-export",
    "desk:student-data",
}
"""Files, and addresses that only lead elsewhere."""


@cache
def _objects(site: Site) -> dict[str, Any]:
    """Return the id of one object of each kind, by a word in the name of its pages."""
    with tenant_scope(site.tenant):
        # A student of the parent, so that both staff and family see them.
        children = Student.objects.filter(links__user__email=site.email("parent"))
        child = children.order_by("pk").first()
        first = {
            "student": child,
            "family-code": child,
            "session": ClassSession.objects.order_by("-starts_at").first(),
            "class": TrainingClass.objects.order_by("pk").first(),
            "exam": Exam.objects.order_by("pk").first(),
            "batch": Batch.objects.order_by("pk").first(),
            "rank-system": RankSystem.objects.order_by("pk").first(),
        }
    return {name: str(found.pk) for name, found in first.items() if found is not None}


def sample_address(_page: Page, site: Site, route: Route) -> str | None:
    """Return an address of the page that exists in the demo dojo, or `None` if the dojo has no such object."""
    if route.name in NO_DOCUMENT:
        return None
    kind = next((one for one in _objects(site) if one in route.name), None)
    missing = False

    def fill(found: re.Match[str]) -> str:
        nonlocal missing
        if found[1] == "uuid":
            missing = missing or kind is None
            return str(_objects(site).get(kind or "", ""))
        return FILLED.get(found[2], "1")

    address = "/" + re.sub(r"<(?:(\w+):)?(\w+)>", fill, route.path)
    return None if missing else address
