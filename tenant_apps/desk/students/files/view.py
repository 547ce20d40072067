"""The import of a file: a preview line by line, then the same file again to confirm."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from tenant_apps.desk.api import Refused
from tenant_apps.desk.students.files.forms import ImportForm
from tenant_apps.desk.students.files.preview import MOST_SHOWN, lines_of
from tenant_apps.desk.students.files.two_steps import TwoStepFile, digest_of


class Import(TwoStepFile):
    """Import students, rank histories, facts or visits."""

    template_name = "desk/students/files/import.html"
    preview_template = "desk/students/files/preview.html"
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
        query = form.query() if self.is_confirmed(digest) else {**form.query(), "dry_run": True}
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
                **self.preview_of(content, digest),
            }
        )
