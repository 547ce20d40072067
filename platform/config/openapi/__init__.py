"""OpenAPI operations that are not declared by a view, by route, for each kind of host.

A view declares its operations itself (`operations`), unless their examples need several apps or differ by kind of host.
A route without an example fails tests/http/test_openapi_document.py, which also sends the examples.
"""

from typing import Final

from config.openapi.accounts import IN_A_TENANT, ON_THE_PLATFORM
from config.openapi.dojo import DOJO
from config.openapi.exams import EXAMS
from config.openapi.files import FILES
from config.openapi.promotions import PROMOTIONS
from config.openapi.ranks import RANKS
from config.openapi.students import STUDENTS
from config.openapi.tenants import TENANTS

PLATFORM_OPERATIONS: Final = {**ON_THE_PLATFORM, **TENANTS}
TENANT_OPERATIONS: Final = {
    **IN_A_TENANT,
    **DOJO,
    **RANKS,
    **STUDENTS,
    **FILES,
    **PROMOTIONS,
    **EXAMS,
}
