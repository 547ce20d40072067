"""Why a rank was awarded."""

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from tatami.tenancy.models import TenantModel
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.models.batch import BatchItem
from tenant_apps.ranks.models import RankRules
from tenant_apps.students.models import RankEvent


class Decision(TenantModel):
    """What the rules said when a rank was awarded, and who went past them with which reason. Never made again."""

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT, UPDATE"

    event = models.OneToOneField(RankEvent, on_delete=models.CASCADE, related_name="decision")
    rules = models.ForeignKey(RankRules, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=16, choices=[(one.value, one.name) for one in Eligibility])
    path = models.CharField(max_length=200, null=True)
    criteria = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    override_reason = models.CharField(max_length=500, blank=True)
    batch_item = models.ForeignKey(BatchItem, null=True, on_delete=models.SET_NULL, related_name="decisions")
