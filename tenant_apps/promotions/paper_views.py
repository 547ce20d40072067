"""Papers as PDF, and the question whether one is genuine."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from tatami.api.permissions import Visibility
from tatami.api.renderers import HtmlRenderer, JsonRenderer, PassthroughRenderer
from tatami.api.responses import streaming_response
from tatami.api.views import ApiView, get_or_404
from tatami.tenancy.scope import current_tenant
from tenant_apps.promotions import printing
from tenant_apps.promotions.exam_views import OfExam
from tenant_apps.promotions.models import Certificate

PDF = "application/pdf"
_SCHEMA = extend_schema(responses={(200, PDF): OpenApiTypes.BINARY})


class PdfRenderer(PassthroughRenderer):
    """A paper."""

    media_type = PDF
    format = "pdf"
    charset = None


class CertificatePaper(ApiView):
    """The certificate of a rank that was awarded here and stands."""

    renderer_classes = [PdfRenderer]

    @_SCHEMA
    def get(self, request: Any, id: UUID) -> HttpResponseBase:
        certificates = printing.standing_certificates()
        if request.visibility is Visibility.OWN:
            certificates = certificates.filter(event__student__links__user=request.user)
        certificate = get_or_404(certificates, event=id)
        return _streamed(printing.certificates_pdf([certificate]), f"certificate-{certificate.code}.pdf")


class ExamCertificates(OfExam, ApiView):
    """All certificates of a finished exam, in one file."""

    renderer_classes = [PdfRenderer]

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID) -> HttpResponseBase:
        exam = self.exam()
        certificates = list(printing.standing_certificates().filter(event__candidate__exam=exam))
        return _streamed(printing.certificates_pdf(certificates), f"certificates-{exam.date}.pdf")


class CandidateSheetPaper(OfExam, ApiView):
    """What a candidate is examined in, with room for marks."""

    renderer_classes = [PdfRenderer]

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID, id: UUID) -> HttpResponseBase:
        exam = self.exam()
        candidate = get_or_404(self.candidates(), pk=id)
        return _paper(printing.candidate_sheet_pdf(exam, candidate), f"sheet-{exam.date}.pdf")


class ExaminersListPaper(OfExam, ApiView):
    """All candidates of an exam, with room for results."""

    renderer_classes = [PdfRenderer]

    @_SCHEMA
    def get(self, request: Any, exam_id: UUID) -> HttpResponseBase:
        exam = self.exam()
        return _paper(
            printing.examiners_list_pdf(exam, list(self.candidates())), f"examiners-{exam.date}.pdf"
        )


class CertificateCheck(ApiView):
    """Is a certificate genuine? `genuine`, `revoked` or `unknown`, and nothing about anybody.

    Rank and day are told, so that a paper that was altered is seen to be.
    """

    renderer_classes = [JsonRenderer, HtmlRenderer]

    def get(self, request: Any, code: str) -> HttpResponseBase:
        found = Certificate.objects.filter(code=code.upper(), event__student__erased_at__isnull=True)
        shown = _shown(found.select_related("event__rank").first(), code)
        if request.accepted_renderer.format == HtmlRenderer.format:
            page = HttpResponse(render_to_string("promotions/certificate.html", shown))
            page["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
            return page
        return Response(shown)


def _shown(certificate: Certificate | None, code: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"code": code, "dojo": current_tenant().name, "status": "unknown"}
    answer |= {"rank": None, "awarded_on": None}
    if certificate is None:
        return answer
    event = certificate.event
    if event.voided_at is not None:
        return {**answer, "status": "revoked"}
    return {**answer, "status": "genuine", "rank": event.rank.name, "awarded_on": event.effective_on}


def _paper(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=PDF, headers=_named(name))


def _streamed(chunks: Iterator[bytes], name: str) -> StreamingHttpResponse:
    return streaming_response(chunks, content_type=PDF, headers=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'inline; filename="{name}"'}
