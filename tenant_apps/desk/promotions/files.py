"""Files of this area: the API's PDF documents, at addresses that a signed-in browser can open."""

from typing import Any, ClassVar

from django.http.response import HttpResponseBase

from tenant_apps.desk.page import Page


class PdfPage(Page):
    """A file of the API. The arguments of its address are those of the API's route."""

    route: ClassVar[str]

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.fetch(self.route, **self.kwargs)


class ExaminersList(PdfPage):
    """The list of all candidates of an exam, with room for results."""

    route = "exam-list"


class ExamCertificates(PdfPage):
    """All certificates of a finished exam."""

    route = "exam-certificates"


class FederationReport(PdfPage):
    """The report of an exam to the federation."""

    route = "exam-federation-report-pdf"


class CandidateSheet(PdfPage):
    """The sheet of one candidate: what is examined, with room for marks."""

    route = "exam-candidate-sheet"


class CertificateFile(PdfPage):
    """The certificate of one rank."""

    route = "rank-event-certificate"
