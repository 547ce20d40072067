"""OpenAPI operations that are not declared by a view, by route, for each kind of host.

A view declares its operations itself (`operations`), unless their examples need several apps or differ by kind of host.
A route without an example fails tests/http/test_openapi_document.py, which also sends the examples.
"""

from typing import Final

from config.openapi.accounts import IN_A_TENANT, ON_THE_PLATFORM
from config.openapi.student_export import STUDENT_EXPORT

PLATFORM_OPERATIONS: Final = {**ON_THE_PLATFORM}
TENANT_OPERATIONS: Final = {
    **IN_A_TENANT,
    **STUDENT_EXPORT,
}
