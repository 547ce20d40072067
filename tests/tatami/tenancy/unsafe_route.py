"""The routes of a dojo, and one with a bug that the database must catch: it creates a row for another dojo."""

from typing import Any, Final
from uuid import UUID

from django.urls import path
from rest_framework.response import Response

from config import urls_tenant
from config.access import ACCESS as KNOWN
from config.access import ADMIN
from shared_apps.accounts.models import AttemptCount
from tatami.api.permissions import RuleTable
from tatami.api.views import ApiView


class UnsafeWrite(ApiView):
    """Creates a row for the dojo that the body names."""

    def post(self, request: Any) -> Response:
        AttemptCount.objects.create(
            tenant_id=UUID(request.data["tenant"]), key_hash=b"k", window_started_at=request.now, count=1
        )
        return Response(status=201)


urlpatterns = [*urls_tenant.urlpatterns, path("unsafe", UnsafeWrite.as_view(), name="unsafe")]
handler404 = urls_tenant.handler404
handler500 = urls_tenant.handler500
ACCESS: Final[RuleTable] = {**KNOWN, "unsafe": {"POST": ADMIN}}
