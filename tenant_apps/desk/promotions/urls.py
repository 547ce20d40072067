"""Promotions, exams, rank systems."""

from django.urls import URLPattern, path

from tenant_apps.desk.promotions import files
from tenant_apps.desk.promotions.batches import view as batches
from tenant_apps.desk.promotions.board.award import Award
from tenant_apps.desk.promotions.board.put_on_exam import PutOnExam
from tenant_apps.desk.promotions.board.view import Board
from tenant_apps.desk.promotions.certificates.view import Certificates
from tenant_apps.desk.promotions.exams import invite, results
from tenant_apps.desk.promotions.exams import view as exams
from tenant_apps.desk.promotions.rank_systems import text
from tenant_apps.desk.promotions.rank_systems import view as ranks

_EXAM = "desk/exams/<uuid:id>"
_EXAM_FILES = "desk/exams/<uuid:exam_id>"
_SYSTEM = "desk/rank-systems/<uuid:id>"

urlpatterns: list[URLPattern] = [
    path("desk/promotions", Board.as_view(), name="promotions"),
    path("desk/promotions/award", Award.as_view(), name="promotion-award"),
    path("desk/promotions/exam", PutOnExam.as_view(), name="promotion-exam"),
    path("desk/promotions/batches", batches.Batches.as_view(), name="batches"),
    path("desk/promotions/batches/new", batches.NewBatch.as_view(), name="batch-new"),
    path("desk/promotions/batches/<uuid:id>", batches.Batch.as_view(), name="batch"),
    path(
        "desk/promotions/batches/<uuid:id>/progress", batches.BatchProgress.as_view(), name="batch-progress"
    ),
    path("desk/promotions/batches/<uuid:id>/cancel", batches.CancelBatch.as_view(), name="batch-cancel"),
    path("desk/promotions/batches/<uuid:id>/revert", batches.RevertBatch.as_view(), name="batch-revert"),
    path("desk/exams", exams.Exams.as_view(), name="exams"),
    path("desk/exams/new", exams.NewExam.as_view(), name="exam-new"),
    path(_EXAM, exams.Exam.as_view(), name="exam"),
    path(f"{_EXAM}/change", exams.ChangeExam.as_view(), name="exam-change"),
    path(f"{_EXAM}/delete", exams.DeleteExam.as_view(), name="exam-delete"),
    path(f"{_EXAM}/invite", invite.Invite.as_view(), name="exam-invite"),
    path(f"{_EXAM}/invite/search", invite.InviteSearch.as_view(), name="exam-invite-search"),
    path(f"{_EXAM}/results/<uuid:candidate>", results.Result.as_view(), name="exam-result"),
    path(f"{_EXAM}/candidates/<uuid:candidate>/withdraw", results.Withdraw.as_view(), name="exam-withdraw"),
    path(
        f"{_EXAM}/candidates/<uuid:candidate>/fulfilment",
        results.Fulfilment.as_view(),
        name="exam-fulfilment",
    ),
    path(f"{_EXAM}/finish", results.Finish.as_view(), name="exam-finish"),
    path(f"{_EXAM}/reopen", results.Reopen.as_view(), name="exam-reopen"),
    path(f"{_EXAM_FILES}/examiners-list.pdf", files.ExaminersList.as_view(), name="exam-examiners-list"),
    path(f"{_EXAM_FILES}/certificates.pdf", files.ExamCertificates.as_view(), name="exam-certificates"),
    path(
        f"{_EXAM_FILES}/federation-report.pdf",
        files.FederationReport.as_view(),
        name="exam-federation-report",
    ),
    path(f"{_EXAM_FILES}/candidates/<uuid:id>/sheet.pdf", files.CandidateSheet.as_view(), name="exam-sheet"),
    path("desk/certificates", Certificates.as_view(), name="certificates"),
    path("desk/certificates/<uuid:id>.pdf", files.CertificateFile.as_view(), name="certificate-pdf"),
    path("desk/rank-systems", ranks.RankSystems.as_view(), name="rank-systems"),
    path("desk/rank-systems/new", ranks.NewRankSystem.as_view(), name="rank-system-new"),
    path("desk/rank-systems/new/text", text.NewSystemText.as_view(), name="rank-system-new-text"),
    path(_SYSTEM, ranks.RankSystem.as_view(), name="rank-system"),
    path(f"{_SYSTEM}/change", ranks.ChangeRules.as_view(), name="rank-system-change"),
    path(f"{_SYSTEM}/text", text.RulesText.as_view(), name="rank-system-text"),
    path(f"{_SYSTEM}/archive", ranks.ArchiveRankSystem.as_view(), name="rank-system-archive"),
    path("desk/disciplines", ranks.Disciplines.as_view(), name="disciplines"),
    path("desk/disciplines/<uuid:id>", ranks.Discipline.as_view(), name="discipline"),
]
