"""May they be promoted?"""

from typing import Any, cast

from rest_framework.response import Response

from shared_apps.accounts.models import User
from tatami import clock
from tatami.api.rules import Reach
from tatami.api.views import ApiView
from tatami.tenancy.scope import current_tenant
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.serializers import CheckSerializer, shown_answer
from tenant_apps.students.models import Student


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
            as_of=asked.get("as_of", clock.local_date(request.now, current_tenant().timezone)),
            system=asked.get("rank_system") or (target.system if target else None),
            target=target,
        )
        answers = [
            answer for answer in check.answers() if asked.get("status") in {None, answer.result.status}
        ]
        return Response({"as_of": check.as_of, "results": [shown_answer(answer) for answer in answers]})

    def everybody(self) -> list[Student]:
        """Return whom a check without names is about: all active students, or those the caller speaks for."""
        if self.request.reach is Reach.OWN:
            return list(Student.objects.promotable().belonging_to(cast("User", self.request.user)))
        return list(Student.objects.promotable())
