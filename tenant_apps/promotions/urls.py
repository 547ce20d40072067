from django.urls import path

from tenant_apps.promotions.views import batches, exams, pdf, promotions

urlpatterns = [
    path("promotions", promotions.Promotions.as_view(), name="promotions"),
    path("promotions/check", promotions.CheckPromotions.as_view(), name="promotion-check"),
    path("promotions/snapshot", promotions.Snapshot.as_view(), name="promotion-snapshot"),
    path("promotions/batches", batches.Batches.as_view(), name="promotion-batches"),
    path("promotions/batches/<uuid:id>", batches.BatchResource.as_view(), name="promotion-batch"),
    path(
        "promotions/batches/<uuid:id>/results", batches.BatchResults.as_view(), name="promotion-batch-results"
    ),
    path("promotions/batches/<uuid:id>/cancel", batches.CancelBatch.as_view(), name="promotion-batch-cancel"),
    path("promotions/batches/<uuid:id>/revert", batches.RevertBatch.as_view(), name="promotion-batch-revert"),
    path(
        "rank-events/<uuid:id>/decision", promotions.RankEventDecision.as_view(), name="rank-event-decision"
    ),
    path(
        "rank-events/<uuid:id>/certificate.pdf", pdf.CertificatePdf.as_view(), name="rank-event-certificate"
    ),
    path("certificates/<str:code>", pdf.CertificateCheck.as_view(), name="certificate"),
    path("exams", exams.ExamCollection.as_view(), name="exams"),
    path("exams/<uuid:id>", exams.ExamResource.as_view(), name="exam"),
    path("exams/<uuid:exam_id>/candidates", exams.Candidates.as_view(), name="exam-candidates"),
    path(
        "exams/<uuid:exam_id>/candidates/<uuid:id>", exams.CandidateResource.as_view(), name="exam-candidate"
    ),
    path(
        "exams/<uuid:exam_id>/candidates/<uuid:id>/sheet.pdf",
        pdf.CandidateSheetPdf.as_view(),
        name="exam-candidate-sheet",
    ),
    path(
        "exams/<uuid:exam_id>/candidates/<uuid:id>/fulfilment",
        exams.ConditionFulfilment.as_view(),
        name="exam-candidate-fulfilment",
    ),
    path("students/<uuid:student_id>/exams", exams.StudentExams.as_view(), name="student-exams"),
    path("exams/<uuid:exam_id>/results", exams.ExamResults.as_view(), name="exam-results"),
    path("exams/<uuid:exam_id>/finish", exams.FinishExam.as_view(), name="exam-finish"),
    path("exams/<uuid:exam_id>/reopening", exams.ReopenExam.as_view(), name="exam-reopening"),
    path("exams/<uuid:exam_id>/examiners-list.pdf", pdf.ExaminersListPdf.as_view(), name="exam-list"),
    path(
        "exams/<uuid:exam_id>/federation-report",
        exams.FederationReport.as_view(),
        name="exam-federation-report",
    ),
    path(
        "exams/<uuid:exam_id>/federation-report.pdf",
        pdf.FederationReportPdf.as_view(),
        name="exam-federation-report-pdf",
    ),
    path(
        "exams/<uuid:exam_id>/certificates.pdf", pdf.ExamCertificatesPdf.as_view(), name="exam-certificates"
    ),
]
