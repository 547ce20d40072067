"""Records about one student: notes, facts, holds, rank events."""

from typing import Any, Final, cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import STAFF_ROLES, Role, User
from tatami.api.filters import by_id, on_or_after, on_or_before, one_of
from tatami.api.permissions import visible_to
from tatami.api.request import READS
from tatami.api.responses import created
from tatami.api.tables import TableOfList
from tatami.api.views import ApiView, Collection, Listing, Resource, get_or_404
from tatami.errors import PermissionDenied
from tenant_apps.students import history, openapi
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
)
from tenant_apps.students.queries import lock_student, student_not_found
from tenant_apps.students.serializers import (
    FactSerializer,
    HoldSerializer,
    NewRankEventSerializer,
    NoteSerializer,
    RankEventSerializer,
    RankEventVoidSerializer,
    ReasonSerializer,
    VoidedRankEventSerializer,
)


def visible_student(request: Any, student_id: Any) -> Student:
    """Return a student that the caller may see. Raises `NotFound`."""
    student: Student | None = visible_to(request, Student.objects.all()).filter(pk=student_id).first()
    if student is None:
        raise student_not_found(student_id, to_staff=request.user.role in STAFF_ROLES)
    return student


def read_reason(request: Any) -> str:
    """Return the reason in a request body. Raises DRF's `ValidationError`."""
    serializer = ReasonSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["reason"])


class StudentRecords(Collection):
    """Records of the student in the path. The caller may see them if they may see the student."""

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = GenericAPIView.get_queryset(self)
        return (
            rows.none() if getattr(self, "swagger_fake_view", False) else rows.filter(student=self.student())
        )

    def student(self) -> Student:
        return visible_student(self.request, self.kwargs["student_id"])


# --- notes --------------------------------------------------------------------------------------------------------


class Notes(StudentRecords):
    operations = openapi.NOTES
    queryset = StudentNote.objects.select_related("author")
    serializer_class = NoteSerializer
    detail_route = "student-note"

    def perform_create(self, serializer: BaseSerializer[Any]) -> StudentNote:
        author = cast("User", self.request.user)
        return history.add_note(student=self.student(), author=author, text=serializer.validated_data["text"])


def may_change_note(author: UUID | None, caller: User) -> bool:
    """Return whether a user may change and delete a note: its author, and every admin."""
    return caller.role == Role.ADMIN or author == caller.pk


class Note(Resource):
    """One note. Only its author or an admin can change and delete it."""

    operations = openapi.NOTE
    queryset = StudentNote.objects.select_related("author")
    serializer_class = NoteSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(student=self.kwargs.get("student_id"))

    def get_object(self) -> StudentNote:
        note: StudentNote = super().get_object()
        caller = cast("User", self.request.user)
        if self.request.method not in READS and not may_change_note(note.author_id, caller):
            raise PermissionDenied(gettext("Only the author or an admin can change a note."))
        return note


# --- facts --------------------------------------------------------------------------------------------------------


class Facts(StudentRecords):
    operations = openapi.FACTS
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
    """Void a fact, with a reason."""

    operations = openapi.FACT_VOID
    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        fact = get_or_404(Facts.queryset.all(), pk=id)
        history.void_fact(fact=fact, reason=read_reason(request), by=request.user, now=request.now)
        return Response(FactSerializer(fact).data)


# --- holds --------------------------------------------------------------------------------------------------------


class Holds(StudentRecords):
    """The holds of a student, the latest first. While one is in force, the status of the student is `on_hold`."""

    operations = openapi.HOLDS
    queryset = StudentHold.objects.all()
    serializer_class = HoldSerializer
    detail_route = "student-hold"

    def perform_create(self, serializer: BaseSerializer[Any]) -> StudentHold:
        return history.add_hold(student=self.student(), **serializer.validated_data)


class Hold(Resource):
    """One hold. Set `until` to end it; DELETE removes a hold that was entered by mistake."""

    operations = openapi.HOLD
    queryset = StudentHold.objects.all()
    serializer_class = HoldSerializer

    def get_queryset(self) -> QuerySet[StudentHold]:
        if getattr(self, "swagger_fake_view", False):
            return StudentHold.objects.none()
        student = visible_student(self.request, self.kwargs["student_id"])
        return StudentHold.objects.filter(student=student)

    def lock_first(self) -> None:
        lock_student(self.kwargs["student_id"])  # in the same order as an erasure

    def perform_update(self, serializer: BaseSerializer[Any]) -> StudentHold:
        assert isinstance(serializer.instance, StudentHold)
        return history.change_hold(hold=serializer.instance, changes=serializer.validated_data)


# --- rank events --------------------------------------------------------------------------------------------------

# The events of erased students are counted, but not listed.
_RANK_EVENTS = RankEvent.objects.filter(student__erased_at__isnull=True).select_related(
    "student", "system", "rank", "recorded_by"
)


_RANK_EVENT_TABLE: Final = {
    "id": "pk",
    "student_id": "student",
    "external_id": "student__external_id",
    "first_name": "student__first_name",
    "last_name": "student__last_name",
    "birth_date": "student__birth_date",
    "rank_system": "system__name",
    "rank": "rank__name",
    "rank_code": "rank__code",
    "kind": "kind",
    "effective_on": "effective_on",
    "note": "note",
    "voided_at": "voided_at",
    "void_reason": "void_reason",
}


class StudentRankEvents(TableOfList, StudentRecords):
    """The rank history of a student. Awards are created by promotions only."""

    table_name = "rank-events"
    table = _RANK_EVENT_TABLE

    operations = openapi.STUDENT_RANK_EVENTS
    queryset = _RANK_EVENTS
    serializer_class = RankEventSerializer
    filters = {"kind": one_of("kind", RankEvent.Kind), "rank_system": by_id("system")}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewRankEventSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        event = history.record_rank_event(
            student=self.student(), recorded_by=request.user, **serializer.validated_data
        )
        return created(
            RankEventSerializer(event).data, "student-rank-events", student_id=self.kwargs["student_id"]
        )


class RankEvents(TableOfList, Listing):
    """The rank events of the dojo."""

    table_name = "rank-events"
    table = _RANK_EVENT_TABLE

    operations = openapi.RANK_EVENTS
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
    """Void a rank event, with a reason. Later ranks that stand on it are named; with `cascade` they are voided too."""

    operations = openapi.RANK_EVENT_VOID
    serializer_class = RankEventVoidSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = RankEventVoidSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event = get_or_404(RankEvents.queryset.all(), pk=id)
        event.later_ranks = history.void_rank_event(
            event=event, by=request.user, now=request.now, **serializer.validated_data
        )
        return Response(VoidedRankEventSerializer(event).data)
