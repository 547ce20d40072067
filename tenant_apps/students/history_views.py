"""What is written down about one student: notes, facts, rank events."""

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import Role, User
from tatami.api.filters import by_id, on_or_after, on_or_before, one_of
from tatami.api.permissions import Visibility
from tatami.api.request import READS
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Listing, Resource, get_or_404
from tatami.errors import PermissionDenied
from tenant_apps.students import history
from tenant_apps.students.models import RankEvent, Student, StudentFact, StudentNote, StudentQuerySet
from tenant_apps.students.serializers import (
    FactSerializer,
    NoteSerializer,
    RankEventSerializer,
    ReasonSerializer,
)


def visible_student(request: Any, student_id: Any) -> Student:
    """Return the student if the caller may see her. Raises `NotFound`."""
    students: StudentQuerySet = Student.objects.all()
    if request.visibility is Visibility.OWN:
        students = students.belonging_to(request.user)
    return get_or_404(students, pk=student_id)


class OfStudent(Collection):
    """Rows of the student that the path names."""

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = GenericAPIView.get_queryset(self)
        return (
            rows.none() if getattr(self, "swagger_fake_view", False) else rows.filter(student=self.student())
        )

    def student(self) -> Student:
        return visible_student(self.request, self.kwargs["student_id"])


class Notes(OfStudent):
    queryset = StudentNote.objects.select_related("author")
    serializer_class = NoteSerializer
    detail_route = "student-note"

    def perform_create(self, serializer: BaseSerializer[Any]) -> StudentNote:
        author = cast("User", self.request.user)
        return history.add_note(student=self.student(), author=author, text=serializer.validated_data["text"])


class Note(Resource):
    """One note: its author or an admin changes and deletes it."""

    queryset = StudentNote.objects.select_related("author")
    serializer_class = NoteSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(student=self.kwargs.get("student_id"))

    def get_object(self) -> StudentNote:
        note: StudentNote = super().get_object()
        caller = cast("User", self.request.user)
        is_read = self.request.method in READS
        if not is_read and caller.role != Role.ADMIN and note.author_id != caller.pk:
            raise PermissionDenied("Only its author or an admin changes a note.")
        return note


class Facts(OfStudent):
    queryset = StudentFact.objects.select_related("rank_system", "recorded_by")
    serializer_class = FactSerializer
    filters = {"kind": one_of("kind", StudentFact.Kind), "rank_system": by_id("rank_system")}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fact = history.record_fact(
            student=self.student(), recorded_by=request.user, values=serializer.validated_data
        )
        return created(FactSerializer(fact).data, "student-facts", student_id=self.kwargs["student_id"])


class VoidFact(ApiView):
    """Strike a fact out, with a reason."""

    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        fact = get_or_404(Facts.queryset.all(), pk=id)
        history.void_fact(fact=fact, reason=read_reason(request), by=request.user, now=request.now)
        return Response(FactSerializer(fact).data)


# What a person who was erased has left is counted, not listed.
_RANK_EVENTS = RankEvent.objects.filter(student__erased_at__isnull=True).select_related(
    "student", "system", "rank", "recorded_by"
)


class StudentRankEvents(OfStudent):
    """A student's rank history. Awards come from promotions only."""

    queryset = _RANK_EVENTS
    serializer_class = RankEventSerializer
    filters = {"kind": one_of("kind", RankEvent.Kind), "rank_system": by_id("system")}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event = history.record_rank_event(
            student=self.student(), recorded_by=request.user, **serializer.validated_data
        )
        return created(
            RankEventSerializer(event).data, "student-rank-events", student_id=self.kwargs["student_id"]
        )


class RankEvents(Listing):
    """The rank events of the dojo."""

    queryset = _RANK_EVENTS
    serializer_class = RankEventSerializer
    filters = {
        "from": on_or_after("effective_on"),
        "to": on_or_before("effective_on"),
        "kind": one_of("kind", RankEvent.Kind),
        "rank_system": by_id("system"),
        "student": by_id("student"),
    }
    ordering_fields = {"effective_on": "effective_on", "created_at": "created_at"}


class VoidRankEvent(ApiView):
    """Strike a rank event out, with a reason."""

    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        event = get_or_404(RankEvents.queryset.all(), pk=id)
        history.void_rank_event(event=event, reason=read_reason(request), by=request.user, now=request.now)
        return Response(RankEventSerializer(event).data)


def read_reason(request: Any) -> str:
    """Return the reason in a body. Raises DRF's `ValidationError`."""
    serializer = ReasonSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["reason"])
