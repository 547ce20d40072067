"""What the OpenAPI document says about each route of each kind of host beyond what the frame knows.

A route without an example here fails tests/http/test_openapi_document.py; the examples are sent there, too.
"""

from typing import Final

from config.openapi.accounts import ON_THE_PLATFORM, SIGN_IN
from config.openapi.attendance import ATTENDANCE
from config.openapi.classes import CLASSES
from config.openapi.devices import DEVICES
from config.openapi.dojo import DOJO
from config.openapi.exams import EXAMS
from config.openapi.files import FILES
from config.openapi.notifications import NOTIFICATIONS
from config.openapi.promotions import PROMOTIONS
from config.openapi.ranks import RANKS
from config.openapi.reports import REPORTS
from config.openapi.students import STUDENTS
from config.openapi.tenants import TENANTS

PLATFORM_OPERATIONS: Final = {**SIGN_IN, **ON_THE_PLATFORM, **TENANTS}
TENANT_OPERATIONS: Final = {
    **SIGN_IN,
    **DOJO,
    **RANKS,
    **STUDENTS,
    **FILES,
    **CLASSES,
    **ATTENDANCE,
    **DEVICES,
    **REPORTS,
    **PROMOTIONS,
    **EXAMS,
    **NOTIFICATIONS,
}
