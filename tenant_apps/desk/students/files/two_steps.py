"""A file that is sent in two steps: a preview, then the same file again to confirm.

The browser keeps the file between the steps. With htmx the form stays on the page, with its file. Without, the content
is in the form as base64, if it is not too large; else the file is chosen again. A digest of the content and of the
options makes sure that what is confirmed is what was previewed. Nothing is stored on the server.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Final

from django.forms import Form
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.page import Page

MOST_IN_FORM: Final = 1024 * 1024
"""Bytes of a file that a form without scripts carries from the preview to the confirmation."""


class TwoStepFile(Page):
    """A page whose form has the fields `file`, `content` (base64) and `confirm` (the digest of the preview)."""

    form_class: ClassVar[type[Form]]
    preview_template: ClassVar[str]

    def context(self) -> dict[str, Any]:
        return {"form": self.form_class()}

    def submit(self) -> HttpResponseBase:
        form, content = self.form_class(self.request.POST, self.request.FILES), self.content()
        if form.is_valid() and content is None:
            form.add_error("file", gettext("The file is empty. Choose another one."))
        if content is None or not form.is_valid():
            return self.show({"form": form}, status=400)
        return self.read(form, content)

    def read(self, form: Any, content: bytes) -> HttpResponseBase:
        """Preview the file with what the form says, or write what it holds if it is confirmed."""
        raise NotImplementedError

    def show(self, context: Mapping[str, Any], *, status: int = 200) -> HttpResponseBase:
        """Return the page, or for htmx the part below the form."""
        part = self.preview_template if self.is_fragment else ""
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

    def is_confirmed(self, digest: str) -> bool:
        """Return whether a file with this digest was previewed, and is confirmed."""
        return self.request.POST.get("confirm", "") == digest

    def preview_of(self, content: bytes, digest: str) -> dict[str, Any]:
        """Return what the form needs after a preview: digest and content; and whether another file was previewed."""
        carries = not self.is_fragment and len(content) <= MOST_IN_FORM
        return {
            "digest": digest,
            "is_changed": bool(self.request.POST.get("confirm")) and not self.is_confirmed(digest),
            "content": b64encode(content).decode() if carries else "",
        }


def digest_of(content: bytes, query: Mapping[str, Any], kind: str) -> str:
    """Return a text that differs for another file, and for the same one read in another way."""
    return sha256(repr((kind, sorted(query.items()))).encode() + content).hexdigest()
