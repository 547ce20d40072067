"""Checks, awards, decisions and the nightly snapshot."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rest_framework.response import Response

from tatami.api.filters import by_id, on_or_after, on_or_before, one_of
from tatami.api.permissions import visible_to
from tatami.api.renderers import json_fragment
from tatami.api.responses import created
from tatami.api.tables import TableMixin, TableOfList
from tatami.api.views import ApiView, Listing, get_or_404
from tatami.clock import tenant_date
from tenant_apps.promotions import awards, openapi
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.models import Decision
from tenant_apps.promotions.queries import students_to_check
from tenant_apps.promotions.responses import ELIGIBILITY_COLUMNS, check_result_data, eligibility_columns
from tenant_apps.promotions.serializers.promotions import (
    AwardSerializer,
    CheckSerializer,
    DecisionSerializer,
    SnapshotSerializer,
)
from tenant_apps.students.models import EligibilitySnapshot, Student
from tenant_apps.students.serializers import RankEventSerializer


class CheckPromotions(TableMixin, ApiView):
    """Check who may be promoted as of a date, and what is missing. Not paged; changes nothing."""

    table_name = "eligibility"
    table_methods = frozenset({"POST"})

    audited = False
    idempotent = False
    serializer_class = CheckSerializer
    operations = openapi.CHECK

    def post(self, request: Any) -> Response:
        serializer = CheckSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        target = asked.get("target_rank")
        if "students" in asked:
            students = asked["students"]
        else:
            students = students_to_check(visible_to(request, Student.objects.promotable()))
        check = Check(
            students=students,
            as_of=asked.get("as_of", tenant_date(request.now)),
            system=asked.get("rank_system") or (target.system if target else None),
            targets=[target] if target else [],
        )
        status = asked.get("status")
        results = (
            check_result_data(result) for result in check.each() if status in {None, result.step.status}
        )
        # Encoded one by one, because thousands of results take ten times as much memory as their JSON.
        encoded = list(results) if self.is_table else [json_fragment(result) for result in results]
        return Response({"as_of": check.as_of, "results": encoded})

    def table_columns(self, data: Any) -> Sequence[str]:
        return ["student_id", "student", *ELIGIBILITY_COLUMNS]

    def table_rows(self, data: Any) -> Iterable[Mapping[str, Any]]:
        for row in data["results"]:
            student = row["student"]
            yield {"student_id": student["id"], "student": student["name"], **eligibility_columns(row)}


class Promotions(ApiView):
    """Award a rank. The rules decide as of the date on which it takes effect, unless a reason overrides them."""

    serializer_class = AwardSerializer
    operations = openapi.PROMOTIONS

    def post(self, request: Any) -> Response:
        serializer = AwardSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        student = asked["student"].pk
        event = awards.award(
            nomination=awards.Nomination(student, asked["target_rank"], asked.get("override_reason", "")),
            effective_on=asked.get("effective_on", tenant_date(request.now)),
            by=request.user,
        )
        return created(RankEventSerializer(event).data, "student-rank-events", student_id=student)


class RankEventDecision(ApiView):
    """Why a rank was awarded. Imported ranks have no decision."""

    operations = openapi.DECISION

    def get(self, request: Any, id: Any) -> Response:
        decisions = Decision.objects.not_erased().select_related("rules", "event__recorded_by")
        decision = get_or_404(visible_to(request, decisions), event=id)
        return Response(DecisionSerializer(decision).data)


class Snapshot(TableOfList, Listing):
    """The results of the last nightly check: who is due, and who will be. A reminder only: an award checks again."""

    table_name = "eligibility"
    table = {
        "student_id": "student",
        "external_id": "student__external_id",
        "first_name": "student__first_name",
        "last_name": "student__last_name",
        "rank_system": "system__name",
        "target_rank": "target__name",
        "target_rank_code": "target__code",
        "status": "status",
        "earliest_on": "earliest_on",
        "as_of": "as_of",
    }

    queryset = EligibilitySnapshot.objects.filter(student__archived_at__isnull=True).select_related(
        "student", "system", "target"
    )
    serializer_class = SnapshotSerializer
    operations = openapi.SNAPSHOT
    filters = {
        "status": one_of("status", EligibilitySnapshot.Status),
        "rank_system": by_id("system"),
        "target_rank": by_id("target"),
        "student": by_id("student"),
        "class": by_id("student__enrolments__training_class"),
        "from": on_or_after("earliest_on"),
        "to": on_or_before("earliest_on"),
    }
    ordering = ("student__search_name",)
    ordering_fields = {"student": "student__search_name", "earliest_on": "earliest_on"}
