"""The export of all data of the dojo: asked for, watched, downloaded, deleted."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tatami.errors import NotFound
from tenant_apps.desk.api import Refused
from tenant_apps.desk.office.settings.view import SettingsPage

UNFINISHED = ("queued", "running")


class Exports(SettingsPage):
    """The archives that are kept, and a button for a new one."""

    template_name = "desk/office/exports/exports.html"
    reads_in_transaction = False  # the rows are the platform's

    def context(self) -> dict[str, Any]:
        rows = self.ask("own-exports")["results"]
        is_building = any(one["status"] in UNFINISHED for one in rows)
        return {"tab": "exports", "rows": rows, "is_building": is_building, "state": state_of(rows)}

    def submit(self) -> HttpResponseBase:
        try:
            self.send("POST", "own-exports")
        except Refused as error:
            return self.render({**self.read_context(), "fault": error.message}, status=error.status)
        return self.redirect(
            "desk:exports", gettext("The export has begun. You may leave this page meanwhile.")
        )


class ExportsLive(Exports):
    """The list again, if it has changed since `state`."""

    template_name = "desk/office/exports/rows.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        shown = self.context()
        if shown["state"] == self.request.GET.get("state"):
            return HttpResponse(status=204)
        return self.render(shown)

    @classmethod
    def page_methods(cls) -> list[str]:
        return ["GET"]


class ExportFile(SettingsPage):
    """The archive of a finished export."""

    reads_in_transaction = False

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.fetch("own-export-archive", id=self.kwargs["id"])


class DeleteExport(SettingsPage):
    """Delete an archive, after a question. One that is deleted already is no fault."""

    template_name = "desk/office/exports/delete.html"
    reads_in_transaction = False

    def context(self) -> dict[str, Any]:
        return {"tab": "exports", "row": self.ask("own-export", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        try:
            self.send("DELETE", "own-export", id=self.kwargs["id"])
        except Refused as error:
            if error.code != NotFound.code:
                raise
        return self.redirect("desk:exports", gettext("The export is deleted."))


def state_of(rows: list[dict[str, Any]]) -> str:
    """Return a text that changes when the list looks different."""
    return "-".join(f"{one['id'][-6:]}.{one['status']}.{one['done']}" for one in rows)
