"""A student comes from another dojo: a preview of what comes with them, then the same file again to confirm."""

from typing import Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.students.files.forms import TransferForm
from tenant_apps.desk.students.files.two_steps import TwoStepFile, digest_of

PARTS: Final = {
    "guardians": gettext_lazy("Guardians"),
    "rank_events": gettext_lazy("Ranks"),
    "attendance": gettext_lazy("Days of training"),
    "facts": gettext_lazy("Facts"),
    "notes": gettext_lazy("Notes"),
    "holds": gettext_lazy("Breaks from training"),
}
"""What comes with a person, in the order in which it is shown."""
KIND: Final = "transfer"


class Transfer(TwoStepFile):
    """Take in a student from another dojo."""

    form_class = TransferForm
    template_name = "desk/students/files/transfer.html"
    preview_template = "desk/students/files/transfer_preview.html"
    section = "students"

    def read(self, form: TransferForm, content: bytes) -> HttpResponseBase:
        query = {"allow_duplicates": form.cleaned_data["allow_duplicates"]}
        digest = digest_of(content, query, KIND)
        is_confirmed = self.is_confirmed(digest)
        try:
            report = self.send(
                "POST", "student-transfers", content, query={**query, "dry_run": not is_confirmed}
            )
        except Refused as refused:
            return self.refused(form, refused, content)
        if is_confirmed:
            name = report["student"]["name"]
            message = gettext("{name} has been transferred.").format(name=name)
            return self.redirect("desk:student", message, id=report["student"]["id"])
        parts = [(label, report["imported"].get(part, 0)) for part, label in PARTS.items()]
        left_out = [{**one, "part": PARTS.get(one["what"], one["what"])} for one in report["left_out"]]
        return self.show(
            {
                "form": form,
                "parts": parts,
                "left_out": left_out,
                "is_preview": True,
                **self.preview_of(content, digest),
            }
        )

    def refused(self, form: TransferForm, refused: Refused, content: bytes) -> HttpResponseBase:
        """Show why a file is refused. A student of the same name is a question, not a fault."""
        namesakes = (refused.details or {}).get("possible_duplicates", [])
        kept = self.preview_of(content, "")["content"]
        faults = [f"{path}: {message}" for path, found in refused.fields.items() for message in found]
        for fault in faults or [refused.message]:
            form.add_error(None, fault)
        shown = {"form": form, "namesakes": namesakes, "content": kept}
        return self.show(shown, status=refused.status)
