"""Certificates and exam papers as PDF files, and the public check of a certificate."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from tatami.api.permissions import visible_to
from tatami.api.renderers import HtmlRenderer, JsonRenderer, PassthroughRenderer
from tatami.api.responses import streaming_response
from tatami.api.views import ApiView, get_or_404
from tatami.clock import tenant_date
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions import openapi
from tenant_apps.promotions.certificates import check_certificate
from tenant_apps.promotions.pdf import documents
from tenant_apps.promotions.serializers.exams import CertificateCheckSerializer
from tenant_apps.promotions.views.exams import ExamMixin

PDF = "application/pdf"
_SCHEMA = extend_schema(responses={(200, PDF): OpenApiTypes.BINARY})


class PdfRenderer(PassthroughRenderer):
    """A PDF file."""

    media_type = PDF
    format = "pdf"
    charset = None


class CertificatePdf(ApiView):
    """The certificate of a rank that was awarded here. If the rank was voided since, the certificate says so."""

    renderer_classes = [PdfRenderer]
    operations = openapi.RANK_EVENT_CERTIFICATE

    @_SCHEMA
    def get(self, request: Any, id: UUID) -> HttpResponseBase:
        certificate = get_or_404(visible_to(request, documents.certificates_to_print()), event=id)
        chunks = documents.print_certificates([certificate])
        return _streamed(chunks, f"certificate-{certificate.code}.pdf")


class ExamCertificatesPdf(ExamMixin, ApiView):
    """All certificates of a finished exam, in one file."""

    renderer_classes = [PdfRenderer]
    operations = openapi.EXAM_CERTIFICATES

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID) -> HttpResponseBase:
        exam = self.exam()
        certificates = list(documents.printable_certificates().filter(event__candidate__exam=exam))
        return _streamed(documents.print_certificates(certificates), f"certificates-{exam.date}.pdf")


class CandidateSheetPdf(ExamMixin, ApiView):
    """The sheet of one candidate: what is examined, with room for marks."""

    renderer_classes = [PdfRenderer]
    operations = openapi.CANDIDATE_SHEET

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID, id: UUID) -> HttpResponseBase:
        exam = self.exam()
        candidate = get_or_404(self.candidates(), pk=id)
        return _file(documents.print_candidate_sheet(exam, candidate), f"sheet-{exam.date}.pdf")


class ExaminersListPdf(ExamMixin, ApiView):
    """The list of all candidates of an exam, with room for results."""

    renderer_classes = [PdfRenderer]
    operations = openapi.EXAMINERS_LIST

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID) -> HttpResponseBase:
        exam = self.exam()
        content = documents.print_examiners_list(exam, list(self.candidates()))
        return _file(content, f"examiners-{exam.date}.pdf")


class FederationReportPdf(ExamMixin, ApiView):
    """The report of an exam to the federation, on paper."""

    renderer_classes = [PdfRenderer]
    operations = openapi.FEDERATION_REPORT_PDF

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID) -> HttpResponseBase:
        exam = self.exam()
        return _file(documents.print_federation_report(exam), f"federation-report-{exam.date}.pdf")


class CertificateCheck(ApiView):
    """Check whether a certificate is `genuine`, `revoked` or `unknown`. The response does not name the student.

    For a genuine certificate it contains the initials, the rank, the date and the number, so that an altered paper can
    be recognized, and says if the rank is no longer held.
    """

    renderer_classes = [JsonRenderer, HtmlRenderer]
    operations = openapi.CERTIFICATE_CHECK

    def get(self, request: Any, code: str) -> HttpResponseBase:
        found = check_certificate(code, today=tenant_date(request.now))
        dojo = current_tenant().name
        if request.accepted_renderer.format == HtmlRenderer.format:
            language = DojoSettings.current().language_code
            days = {"awarded_on": found.awarded_on, "held_until": found.held_until}
            written = {name: long_date(day, language) if day else "" for name, day in days.items()}
            data = {"found": found, "dojo": dojo, **written}
            page = HttpResponse(render_to_string("promotions/certificate.html", data))
            page["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
            return page
        return Response(CertificateCheckSerializer({**asdict(found), "dojo": dojo}).data)


def _file(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=PDF, headers=_inline(name))


def _streamed(chunks: Iterator[bytes], name: str) -> StreamingHttpResponse:
    return streaming_response(chunks, content_type=PDF, headers=_inline(name))


def _inline(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'inline; filename="{name}"'}
