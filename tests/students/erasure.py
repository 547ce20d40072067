"""Helpers for erasures: run code while a student is erased, and find personal data that is left."""

from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from tatami import clock
from tatami.errors import DomainError
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.students import privacy
from tenant_apps.students.models import Student
from tests.support.races import ConcurrentCall

TRACES = ("Mika", "mika", "Sato", "sato", "Hana", "1999-02-03", "asthma", "wrist", "Okinawa", "M-77")


def erasure_race(student: Student, change: Callable[[], Any]) -> Any:
    """Start a change while the student is being erased: it waits for the locked row, and goes on after the erasure.

    Return the result of the change, or the error with which it was refused. Call this within the dojo's scope.
    """

    def attempt() -> Any:
        try:
            return change()
        except DomainError as error:
            return error

    with transaction.atomic():
        row = Student.objects.select_for_update().get(pk=student.pk)
        meanwhile = ConcurrentCall(attempt)
        privacy.erase(row, clock.now())
    return meanwhile.result()


def personal_traces(tenant: TenantScope) -> set[tuple[str, str]]:
    """Return the tables of a dojo that contain one of `TRACES`, with the trace; binary columns included."""
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [tenant.schema_name])
        tables = [name for (name,) in cursor.fetchall() if name != "django_migrations"]
        found = set()
        for table in tables:
            cursor.execute(f'SELECT r::text FROM "{table}" r')
            rows = " ".join(row for (row,) in cursor.fetchall())
            found |= {(table, trace) for trace in TRACES if trace in rows or trace.encode().hex() in rows}
        return found
