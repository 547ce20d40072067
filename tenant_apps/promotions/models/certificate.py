"""A certificate of a rank: the code by which anybody can ask whether the paper is genuine."""

import secrets
from typing import ClassVar, Final

from django.db import models

from tatami.tenancy.models import TenantModel
from tenant_apps.students.models import RankEvent

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter can be read as a digit."""

_GROUPS, _LENGTH = 4, 4


def new_code() -> str:
    """Return 80 random bits as people read them out: `7KQ2-M9XR-4T1B-0ZVD`."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(_GROUPS))


class Certificate(TenantModel):
    """Goes with an award. Its code is the number on the paper; it says nothing about anybody."""

    APP_PRIVILEGES: ClassVar[str] = "SELECT, INSERT"

    event = models.OneToOneField(RankEvent, on_delete=models.CASCADE, related_name="certificate")
    code = models.CharField(max_length=40, default=new_code)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code"], name="certificate_code_once")]
