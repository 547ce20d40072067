"""The import of a file in two steps: a preview line by line, then the same file again to confirm.

The browser keeps the file between the steps. With htmx the form stays on the page, with its file. Without, the content
is in the form as base64, if it is not too large; else the file is chosen again. A digest of the content and of the
options makes sure that what is confirmed is what was previewed. Nothing is stored on the server.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page
from tenant_apps.desk.students.files.forms import ImportForm
from tenant_apps.desk.students.files.preview import MOST_SHOWN, lines_of

MOST_IN_FORM: Final = 1024 * 1024
"""Bytes of a file that a form without scripts carries from the preview to the confirmation."""


class Import(Page):
    """Import students, rank histories, facts or visits."""

    template_name = "desk/students/files/import.html"
    section = "students"

    def context(self) -> dict[str, Any]:
        return {"form": ImportForm()}

    def submit(self) -> HttpResponseBase:
        form = ImportForm(self.request.POST, self.request.FILES)
        if not form.is_valid():
            return self.show({"form": form}, status=400)
        content = self.content()
        if content is None:
            form.add_error("file", gettext("The file is empty. Choose another one."))
            return self.show({"form": form}, status=400)
        kind, digest = form.cleaned_data["kind"], digest_of(content, form.query(), form.cleaned_data["kind"])
        confirmed = self.request.POST.get("confirm", "")
        is_preview = confirmed != digest
        query = {**form.query(), "dry_run": True} if is_preview else form.query()
        try:
            report = self.send_file(f"{kind}-import", content, query=query)
        except Refused as refused:
            form.add_refusal(refused)
            return self.show({"form": form}, status=refused.status)
        return self.show(
            {
                "form": form,
                "report": report,
                "lines": lines_of(report, content, kind),
                "total": len(report["rows"]),
                "most": MOST_SHOWN,
                "written": report["created"] + report["updated"] + report["restored"],
                "digest": digest,
                "is_changed": bool(confirmed) and is_preview,
                "content": b64encode(content).decode() if self.carries(content) else "",
            }
        )

    def show(self, context: Mapping[str, Any], *, status: int = 200) -> HttpResponseBase:
        """Return the page, or for htmx the part below the form."""
        part = "desk/students/files/preview.html" if self.is_fragment else ""
        return self.render(context, template=part, status=status)

    def content(self) -> bytes | None:
        """Return the file that was sent, else the content that the form carries, else `None`."""
        if sent := self.request.FILES.get("file"):
            found: bytes = sent.read()
            return found
        try:
            return b64decode(self.request.POST.get("content", ""), validate=True) or None
        except (NotBase64, ValueError):
            return None

    def carries(self, content: bytes) -> bool:
        """Return whether the form carries the content to the confirmation."""
        return not self.is_fragment and len(content) <= MOST_IN_FORM


def digest_of(content: bytes, query: Mapping[str, Any], kind: str) -> str:
    """Return a text that differs for another file, and for the same one read in another way."""
    return sha256(repr((kind, sorted(query.items()))).encode() + content).hexdigest()
