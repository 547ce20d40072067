"""The import of a file: a preview line by line, then the same file again to confirm."""

from django.http.response import HttpResponseBase

from tenant_apps.desk.api import Refused
from tenant_apps.desk.students.files.forms import ImportForm
from tenant_apps.desk.students.files.preview import MOST_SHOWN, lines_of
from tenant_apps.desk.students.files.two_steps import TwoStepFile, digest_of


class Import(TwoStepFile):
    """Import students, rank histories, facts or visits."""

    form_class = ImportForm
    template_name = "desk/students/files/import.html"
    preview_template = "desk/students/files/preview.html"
    section = "students"

    def read(self, form: ImportForm, content: bytes) -> HttpResponseBase:
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
