"""Exams, their candidates and results."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_id, on_or_after, on_or_before, one_of, yes_or_no
from tatami.api.permissions import Visibility
from tatami.api.responses import location
from tatami.api.views import ApiView, Collection, Listing, Resource, get_or_404
from tenant_apps.promotions import exams
from tenant_apps.promotions.choosing import chosen
from tenant_apps.promotions.exam_serializers import (
    CandidateSerializer,
    ExamSerializer,
    InvitationsSerializer,
    ResultsSerializer,
)
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.promotions.showing import shown_answer
from tenant_apps.students.serializers import RankEventSerializer, ReasonSerializer

_EXAMS = Exam.objects.select_related("rank_system")
_CANDIDATES = Candidate.objects.filter(student__erased_at__isnull=True).select_related("student", "target")


class WithExaminers:
    """Shows exams with the names of their examiners: one statement for all."""

    def annotate_page(self, rows: Sequence[Exam]) -> None:
        exams.attach_examiners(rows)


class ExamCollection(WithExaminers, Collection):
    """The exams, the latest first."""

    queryset = _EXAMS
    serializer_class = ExamSerializer
    detail_route = "exam"
    filters = {
        "from": on_or_after("date"),
        "to": on_or_before("date"),
        "rank_system": by_id("rank_system"),
        "finished": yes_or_no("finished_at__isnull", inverted=True),
    }
    ordering_fields = {"date": "date", "name": "name"}


class ExamResource(WithExaminers, Resource):
    """One exam. It can be taken off until it is finished."""

    queryset = _EXAMS
    serializer_class = ExamSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> Exam:
        assert isinstance(serializer.instance, Exam)
        return exams.change_exam(exam=serializer.instance, changes=serializer.validated_data)

    def perform_destroy(self, instance: Exam) -> None:
        exams.delete_exam(exam=instance)


class OfExam:
    """The exam that the path names, if the caller may see it."""

    request: Any
    kwargs: dict[str, Any]

    def exam(self) -> Exam:
        found = _EXAMS.all()
        if self.request.visibility is Visibility.OWN:
            found = found.belonging_to(self.request.user)
        return get_or_404(found, pk=self.kwargs["exam_id"])

    def candidates(self) -> QuerySet[Candidate]:
        found = _CANDIDATES.filter(exam=self.kwargs["exam_id"])
        return found.belonging_to(self.request.user) if self.request.visibility is Visibility.OWN else found


class Candidates(OfExam, Listing):
    """Who is examined, each with what the rules say as of the exam's date."""

    queryset = _CANDIDATES
    serializer_class = CandidateSerializer
    filters = {"outcome": one_of("outcome", Candidate.Outcome)}

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        exam = self.exam()
        page = self.paginate_queryset(self.filter_queryset(self.candidates()))
        return self.get_paginated_response(_shown(exam, page or []))

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        serializer = InvitationsSerializer(data=request.data, context={"request": request, "exam": exam})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        invitations = asked.get("candidates")
        if invitations is None:
            students = list(chosen(asked["filter"], on=exam.date))
            invitations = exams.eligible_for(exam, students, asked.get("target_ranks", ()))
        exams.invite(exam=exam, invitations=invitations)
        invited = self.candidates().filter(student__in=[one.student for one in invitations])
        where = location("exam-candidates", exam_id=exam.pk)
        return Response({"results": _shown(exam, list(invited))}, status=201, headers={"Location": where})


class CandidateResource(OfExam, ApiView):
    """Take a candidate off the list."""

    def delete(self, request: Any, exam_id: UUID, id: UUID) -> Response:
        exam = self.exam()
        exams.withdraw(exam=exam, candidate=get_or_404(self.candidates(), pk=id))
        return Response(status=204)


class Results(OfExam, ApiView):
    """Write down how it went, as often as it takes until the exam is finished."""

    serializer_class = ResultsSerializer

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        serializer = ResultsSerializer(data=request.data, context={"exam": exam})
        serializer.is_valid(raise_exception=True)
        exams.record_results(exam=exam, results=serializer.validated_data["results"], now=request.now)
        return Response({"results": _shown(exam, list(self.candidates()))})


class Finish(OfExam, ApiView):
    """Award what was passed, all of it or nothing."""

    def post(self, request: Any, exam_id: UUID) -> Response:
        exam = self.exam()
        events = exams.finish(exam=exam, by=request.user, now=request.now)
        shown = _shown_exam(exam)
        return Response({**shown, "rank_events": RankEventSerializer(events, many=True).data})


class Reopening(OfExam, ApiView):
    """Void what an exam awarded, with a reason, and take results again."""

    serializer_class = ReasonSerializer

    def post(self, request: Any, exam_id: UUID) -> Response:
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        exam = self.exam()
        exams.reopen(exam=exam, by=request.user, now=request.now, **serializer.validated_data)
        return Response(_shown_exam(exam))


def _shown_exam(exam: Exam) -> dict[str, Any]:
    fresh = _EXAMS.get(pk=exam.pk)
    exams.attach_examiners([fresh])
    return dict(ExamSerializer(fresh).data)


def _shown(exam: Exam, candidates: list[Candidate]) -> Any:
    answers = exams.answers_for(exam, candidates)
    for candidate in candidates:
        answer = shown_answer(answers[candidate.pk])
        del answer["student"]
        candidate.eligibility = answer  # type: ignore[attr-defined]
    return CandidateSerializer(candidates, many=True).data
