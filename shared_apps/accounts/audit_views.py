"""The audit of this host, for its admins."""

from shared_apps.accounts.models import AuditEntry
from shared_apps.accounts.serializers import AuditSerializer
from tatami.api.filters import by_id, by_text, since, until
from tatami.api.pagination import CursorPages
from tatami.api.views import Listing


class Audit(Listing):
    """Who changed what, why and from where; newest first."""

    queryset = AuditEntry.objects.with_actors()
    serializer_class = AuditSerializer
    pagination_class = CursorPages
    filters = {
        "actor": by_id("actor"),
        "impersonated_by": by_id("impersonator"),
        "action": by_text("action"),
        "object": by_id("object"),
        "from": since("created_at"),
        "to": until("created_at"),
    }
