"""May they be promoted, then do it: checks, awards, and why."""

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.response import Response

from shared_apps.accounts.models import User
from tatami.api.filters import by_id, on_or_after, on_or_before, one_of
from tatami.api.permissions import Visibility
from tatami.api.responses import created
from tatami.api.views import ApiView, Listing, get_or_404
from tenant_apps.dojo.dates import dojo_today
from tenant_apps.promotions import awards
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.models import Decision
from tenant_apps.promotions.serializers import (
    AwardSerializer,
    CheckSerializer,
    DecisionSerializer,
    SnapshotSerializer,
)
from tenant_apps.promotions.showing import shown_answer
from tenant_apps.students.models import EligibilitySnapshot, Student
from tenant_apps.students.serializers import RankEventSerializer


class CheckPromotions(ApiView):
    """Who may be promoted as of a date, and what is missing. Not paged; writes nothing."""

    audited = False
    idempotent = False
    serializer_class = CheckSerializer

    def post(self, request: Any) -> Response:
        serializer = CheckSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        target = asked.get("target_rank")
        check = Check(
            students=asked["students"] if "students" in asked else self.everybody(),
            as_of=asked.get("as_of", dojo_today(request.now)),
            system=asked.get("rank_system") or (target.system if target else None),
            target=target,
        )
        answers = [
            answer for answer in check.answers() if asked.get("status") in {None, answer.result.status}
        ]
        return Response({"as_of": check.as_of, "results": [shown_answer(answer) for answer in answers]})

    def everybody(self) -> list[Student]:
        """Return whom a check without names is about: all active students, or those the caller speaks for."""
        if self.request.visibility is Visibility.OWN:
            return list(Student.objects.promotable().belonging_to(cast("User", self.request.user)))
        return list(Student.objects.promotable())


class Promotions(ApiView):
    """Award a rank. Without a reason to go past them, the rules decide, as of the day on which it takes effect."""

    serializer_class = AwardSerializer

    def post(self, request: Any) -> Response:
        serializer = AwardSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        student = asked["student"].pk
        event = awards.award(
            nomination=awards.Nomination(student, asked["target_rank"], asked.get("override_reason", "")),
            effective_on=asked.get("effective_on", dojo_today(request.now)),
            by=request.user,
        )
        return created(RankEventSerializer(event).data, "student-rank-events", student_id=student)


class RankEventDecision(ApiView):
    """Why a rank was awarded. Imported ranks, and those from before a dojo came here, have no decision."""

    def get(self, request: Any, id: Any) -> Response:
        decisions: QuerySet[Decision] = Decision.objects.select_related("rules", "event__recorded_by")
        decisions = decisions.filter(event__student__erased_at__isnull=True)
        if request.visibility is Visibility.OWN:
            decisions = decisions.filter(event__student__links__user=request.user)
        return Response(DecisionSerializer(get_or_404(decisions, event=id)).data)


class Snapshot(Listing):
    """What last night's check said: who is due, and who will be when. A reminder; a decision checks again."""

    queryset = EligibilitySnapshot.objects.filter(student__archived_at__isnull=True).select_related(
        "student", "system", "target"
    )
    serializer_class = SnapshotSerializer
    filters = {
        "status": one_of("status", EligibilitySnapshot.Status),
        "rank_system": by_id("system"),
        "target_rank": by_id("target"),
        "student": by_id("student"),
        "from": on_or_after("earliest_on"),
        "to": on_or_before("earliest_on"),
    }
    ordering = ("student__search_name",)
    ordering_fields = {"student": "student__search_name", "earliest_on": "earliest_on"}
