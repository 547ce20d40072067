"""Exams, their candidates and results."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_id, on_or_after, on_or_before, one_of, yes_or_no
from tatami.api.permissions import visible_to
from tatami.api.responses import created, location
from tatami.api.tables import TableMixin, TableOfList, limited
from tatami.api.views import ApiView, Collection, Listing, Resource, get_or_404
from tatami.clock import tenant_date
from tenant_apps.promotions import exams, openapi
from tenant_apps.promotions.exam_decisions import attach_eligibility
from tenant_apps.promotions.federation_report import (
    CANDIDATE_COLUMNS,
    EXAM_COLUMNS,
    federation_report,
    federation_rows,
)
from tenant_apps.promotions.models import Candidate, Exam, attach_examiners
from tenant_apps.promotions.responses import ELIGIBILITY_COLUMNS, eligibility_columns
from tenant_apps.promotions.serializers.exam_results import FulfilmentSerializer, ResultsSerializer
from tenant_apps.promotions.serializers.exams import (
    CandidateSerializer,
    CandidatesSerializer,
    ExamSerializer,
    FederationReportSerializer,
    FinishedExamSerializer,
    InvitationsSerializer,
    StudentExamSerializer,
)
from tenant_apps.promotions.student_filters import filter_students
from tenant_apps.students.models import RankEvent
from tenant_apps.students.serializers import RankEventSerializer, RevertSerializer
from tenant_apps.students.views.records import visible_student

_EXAMS = Exam.objects.select_related("rank_system")
_CANDIDATES = Candidate.objects.not_erased().select_related("student", "target")

_CANDIDATE_COLUMNS = (
    "id",
    "student_id",
    "external_id",
    "first_name",
    "last_name",
    "target_rank",
    "outcome",
    "marks",
    "condition",
    "condition_until",
    "override_reason",
    "warnings",
)


class ExaminersMixin:
    """Adds the examiners to exams: one statement for all."""

    def annotate_page(self, rows: Sequence[Exam]) -> None:
        attach_examiners(rows)


class ExamCollection(ExaminersMixin, TableOfList, Collection):
    """The exams, the latest first."""

    table_name = "exams"
    table = {
        "id": "pk",
        "name": "name",
        "date": "date",
        "rank_system": "rank_system__name",
        "location": "location",
        "examiners": "examiner_ids",
        "finished_at": "finished_at",
        "reopened_at": "reopened_at",
        "reopen_reason": "reopen_reason",
    }

    queryset = _EXAMS
    serializer_class = ExamSerializer
    operations = openapi.EXAMS
    detail_route = "exam"
    filters = {
        "from": on_or_after("date"),
        "to": on_or_before("date"),
        "rank_system": by_id("rank_system"),
        "finished": yes_or_no("finished_at__isnull", inverted=True),
    }
    ordering_fields = {"date": "date", "name": "name"}

    def table_results(self) -> list[dict[str, Any]]:
        found = limited(self.table_queryset())
        attach_examiners(found)
        return [
            {
                **{column: getattr(exam, column) for column in self.table if column != "examiners"},
                "rank_system": exam.rank_system.name,
                "examiners": ", ".join(exam.examiner_names),
            }
            for exam in found
        ]

    def perform_create(self, serializer: BaseSerializer[Any]) -> Exam:
        return exams.create_exam(values=serializer.validated_data)


class ExamResource(ExaminersMixin, Resource):
    """One exam. It can be deleted until it is finished."""

    queryset = _EXAMS
    serializer_class = ExamSerializer
    operations = openapi.EXAM

    def perform_update(self, serializer: BaseSerializer[Any]) -> Exam:
        assert isinstance(serializer.instance, Exam)
        changes = dict(serializer.validated_data)
        notify = changes.pop("notify", False)
        return exams.change_exam(
            exam=serializer.instance, changes=changes, notify=notify, now=self.request.now
        )

    def perform_destroy(self, instance: Exam) -> None:
        exams.delete_exam(exam=instance)


class ExamMixin:
    """The exam in the path and its candidates, as far as the caller may see them."""

    request: Any
    kwargs: dict[str, Any]

    def exam(self) -> Exam:
        """Return the exam. Raises `NotFound`."""
        return get_or_404(visible_to(self.request, _EXAMS.all()), pk=self.kwargs["exam_id"])

    def candidates(self) -> QuerySet[Candidate]:
        """Return the candidates."""
        return visible_to(self.request, _CANDIDATES.filter(exam=self.kwargs["exam_id"]))


class Candidates(ExamMixin, TableOfList, Listing):
    """The candidates of an exam, each with the check result as of the exam's date."""

    table_name = "candidates"

    queryset = _CANDIDATES
    serializer_class = CandidateSerializer
    operations = openapi.CANDIDATES
    filters = {"outcome": one_of("outcome", Candidate.Outcome)}

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        exam = self.exam()
        rows = self.filter_queryset(self.candidates())
        page = limited(rows) if self.is_table else list(self.paginate_queryset(rows) or [])
        attach_eligibility(exam, page)
        if self.is_table:
            return Response({"results": page})
        return self.get_paginated_response(CandidateSerializer(page, many=True).data)

    def table_columns(self, data: Any) -> Sequence[str]:
        names = [name for name in ELIGIBILITY_COLUMNS if name != "target_rank"]
        return [*_CANDIDATE_COLUMNS, *names]

    def table_rows(self, data: Any) -> Iterable[Mapping[str, Any]]:
        for candidate in data["results"]:
            student = candidate.student
            values = (
                candidate.pk,
                student.pk,
                student.external_id,
                student.first_name,
                student.last_name,
                candidate.target.name,
                candidate.outcome,
                "; ".join(f"{technique}: {mark}" for technique, mark in candidate.marks.items()),
                candidate.condition,
                candidate.condition_until,
                candidate.override_reason,
                " ".join(one["message"] for one in candidate.shown["warnings"]),
            )
            columns = dict(zip(_CANDIDATE_COLUMNS, values, strict=True))
            yield eligibility_columns(candidate.shown) | columns

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        serializer = InvitationsSerializer(data=request.data, context={"request": request, "exam": exam})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        invitations = asked.get("candidates")
        if invitations is None:
            students = list(filter_students(asked["filter"], on=exam.date))
            invitations = exams.eligible_invitations(exam, students, asked.get("target_ranks", ()))
        exams.invite(exam=exam, invitations=invitations)
        invited = list(self.candidates().filter(student__in=[one.student for one in invitations]))
        response = _candidates_response(exam, invited, status=201)
        response["Location"] = location("exam-candidates", exam_id=exam.pk)
        return response


class CandidateResource(ExamMixin, ApiView):
    """Remove a candidate from an exam."""

    operations = openapi.CANDIDATE

    def delete(self, request: Any, exam_id: UUID, id: UUID) -> Response:
        exam = self.exam()
        exams.withdraw(exam=exam, candidate=get_or_404(self.candidates(), pk=id))
        return Response(status=204)


class ConditionFulfilment(ExamMixin, ApiView):
    """Award the rank to a candidate who passed on a condition, as of the day on which it was met."""

    serializer_class = FulfilmentSerializer
    operations = openapi.FULFILMENT

    def post(self, request: Any, exam_id: UUID, id: UUID) -> Response:
        exam = self.exam()
        serializer = FulfilmentSerializer(data=request.data, context={"request": request, "exam": exam})
        serializer.is_valid(raise_exception=True)
        met = serializer.validated_data
        event = exams.meet_condition(
            exam=exam,
            candidate=get_or_404(self.candidates(), pk=id),
            met_on=met.get("met_on", tenant_date(request.now)),
            override_reason=met.get("override_reason", ""),
            by=request.user,
            now=request.now,
        )
        return created(RankEventSerializer(event).data, "student-rank-events", student_id=event.student_id)


class StudentExams(Listing):
    """The exams of a student, the latest first, with outcomes: those that were failed, too."""

    queryset = Candidate.objects.select_related("exam__rank_system", "target")
    ordering = ("-exam__date",)
    serializer_class = StudentExamSerializer
    operations = openapi.STUDENT_EXAMS
    filters = {
        "outcome": one_of("outcome", Candidate.Outcome),
        "rank_system": by_id("exam__rank_system"),
        "from": on_or_after("exam__date"),
        "to": on_or_before("exam__date"),
    }

    def get_queryset(self) -> QuerySet[Candidate]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(student=visible_student(self.request, self.kwargs["student_id"]))


class ExamResults(ExamMixin, ApiView):
    """Record results. They can be recorded again until the exam is finished."""

    serializer_class = ResultsSerializer
    operations = openapi.EXAM_RESULTS

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        serializer = ResultsSerializer(data=request.data, context={"exam": exam})
        serializer.is_valid(raise_exception=True)
        exams.record_results(exam=exam, results=serializer.validated_data["results"], now=request.now)
        return _candidates_response(exam, list(self.candidates()))


class FederationReport(TableMixin, ExamMixin, ApiView):
    """The report of an exam to the federation: the exam and each candidate with licence number, ranks and result."""

    table_name = "federation-report"
    operations = openapi.FEDERATION_REPORT

    def get(self, request: Any, exam_id: UUID) -> Response:
        report = federation_report(self.exam())
        return Response(report if self.is_table else FederationReportSerializer(report).data)

    def table_columns(self, data: Any) -> Sequence[str]:
        return [*EXAM_COLUMNS, *CANDIDATE_COLUMNS]

    def table_rows(self, data: Any) -> Iterable[Mapping[str, Any]]:
        return federation_rows(data)


class FinishExam(ExamMixin, ApiView):
    """Finish an exam: award the ranks of all candidates who passed, or of none."""

    operations = openapi.FINISH_EXAM

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        events = exams.finish(exam=exam, by=request.user, now=request.now)
        return Response(FinishedExamSerializer(_current(exam, events)).data)


class ReopenExam(ExamMixin, ApiView):
    """Reopen a finished exam, with a reason: its awards are voided, and results can be recorded again.

    `cascade` or `keep_later` decides about ranks that stand on them.
    """

    serializer_class = RevertSerializer
    operations = openapi.REOPEN_EXAM

    def post(self, request: Any, exam_id: UUID) -> Response:
        serializer = RevertSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        exam = self.exam()
        exams.reopen(exam=exam, by=request.user, now=request.now, **serializer.validated_data)
        return Response(ExamSerializer(_current(exam)).data)


def _current(exam: Exam, events: Sequence[RankEvent] = ()) -> Exam:
    """Return an exam as it is now in the database, with its examiners."""
    current = _EXAMS.get(pk=exam.pk)
    attach_examiners([current])
    current.rank_events = list(events)
    return current


def _candidates_response(exam: Exam, candidates: list[Candidate], status: int = 200) -> Response:
    attach_eligibility(exam, candidates)
    return Response(CandidatesSerializer({"results": candidates}).data, status=status)
