"""Meeting an erasure: what was under way when somebody was forgotten."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from tatami import clock
from tatami.errors import DomainError
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student
from tests.support.races import Meanwhile


def erased_meanwhile(student: Student, deed: Callable[[], Any]) -> Any:
    """Do it while the student is erased: it meets her row locked, and goes on when she is gone.

    Return what it returned, or the error it was refused with. Call it within the dojo's scope.
    """

    def attempt() -> Any:
        try:
            return deed()
        except DomainError as refusal:
            return refusal

    with transaction.atomic():
        row = Student.objects.select_for_update().get(pk=student.pk)
        meanwhile = Meanwhile(attempt)
        personal_data.erase(row, clock.now())
    return meanwhile.answer()
