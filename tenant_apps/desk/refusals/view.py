"""The refused scans: what the desk settles by hand, and what tells that a kiosk or a rule is set wrongly."""

from typing import Any, Final

from tenant_apps.desk.api import cursor_of
from tenant_apps.desk.page import Page
from tenant_apps.desk.refusals.reasons import reason_of, reasons

PAGE_SIZE: Final = 50
FILTERS: Final = ("student", "class_session", "code", "from", "to")


class Refusals(Page):
    """The refused scans by when they arrived, newest first, with the filters of the API's list."""

    template_name = "desk/refusals/refusals.html"
    section = "today"

    def context(self) -> dict[str, Any]:
        asked = {name: self.query(name) for name in FILTERS}
        cursor = self.query("cursor")
        found = self.ask("refusals", query={**asked, "cursor": cursor, "page_size": PAGE_SIZE})
        student, session = asked["student"], asked["class_session"]
        return {
            "refusals": [(one, reason_of(one["code"])) for one in found["results"]],
            "reasons": {**({asked["code"]: reason_of(asked["code"])} if asked["code"] else {}), **reasons()},
            "asked": asked,
            "is_filtered": any(asked.values()),
            "student": self.ask("student", id=student) if student else None,
            "session": self.ask("class-session", id=session) if session else None,
            "is_first": not cursor,
            "older": cursor_of(found["next"]),
        }
