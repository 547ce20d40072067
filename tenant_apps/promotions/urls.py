from django.urls import path

from tenant_apps.promotions import batch_views, exam_views, paper_views, views

urlpatterns = [
    path("promotions", views.Promotions.as_view(), name="promotions"),
    path("promotions/check", views.CheckPromotions.as_view(), name="promotion-check"),
    path("promotions/snapshot", views.Snapshot.as_view(), name="promotion-snapshot"),
    path("promotions/batches", batch_views.Batches.as_view(), name="promotion-batches"),
    path("promotions/batches/<uuid:id>", batch_views.BatchResource.as_view(), name="promotion-batch"),
    path(
        "promotions/batches/<uuid:id>/results", batch_views.Results.as_view(), name="promotion-batch-results"
    ),
    path(
        "promotions/batches/<uuid:id>/cancel",
        batch_views.CancelBatch.as_view(),
        name="promotion-batch-cancel",
    ),
    path(
        "promotions/batches/<uuid:id>/revert",
        batch_views.RevertBatch.as_view(),
        name="promotion-batch-revert",
    ),
    path("rank-events/<uuid:id>/decision", views.RankEventDecision.as_view(), name="rank-event-decision"),
    path(
        "rank-events/<uuid:id>/certificate.pdf",
        paper_views.CertificatePaper.as_view(),
        name="rank-event-certificate",
    ),
    path("certificates/<str:code>", paper_views.CertificateCheck.as_view(), name="certificate"),
    path("exams", exam_views.ExamCollection.as_view(), name="exams"),
    path("exams/<uuid:id>", exam_views.ExamResource.as_view(), name="exam"),
    path("exams/<uuid:exam_id>/candidates", exam_views.Candidates.as_view(), name="exam-candidates"),
    path(
        "exams/<uuid:exam_id>/candidates/<uuid:id>",
        exam_views.CandidateResource.as_view(),
        name="exam-candidate",
    ),
    path(
        "exams/<uuid:exam_id>/candidates/<uuid:id>/sheet.pdf",
        paper_views.CandidateSheetPaper.as_view(),
        name="exam-candidate-sheet",
    ),
    path("exams/<uuid:exam_id>/results", exam_views.Results.as_view(), name="exam-results"),
    path("exams/<uuid:exam_id>/finish", exam_views.Finish.as_view(), name="exam-finish"),
    path("exams/<uuid:exam_id>/reopening", exam_views.Reopening.as_view(), name="exam-reopening"),
    path(
        "exams/<uuid:exam_id>/examiners-list.pdf", paper_views.ExaminersListPaper.as_view(), name="exam-list"
    ),
    path(
        "exams/<uuid:exam_id>/certificates.pdf",
        paper_views.ExamCertificates.as_view(),
        name="exam-certificates",
    ),
]
