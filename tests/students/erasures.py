"""Meeting an erasure: what was under way when somebody was forgotten."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final

from django.db import connection, connections, transaction

from tatami import clock
from tatami.errors import DomainError
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student

PATIENCE: Final = 20.0
_WAITS_FOR_US: Final = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


def erased_meanwhile(student: Student, deed: Callable[[], Any]) -> Any:
    """Do it while the student is erased: it meets her row locked, and goes on when she is gone.

    Return what it returned, or the error it was refused with. Call it within the dojo's scope.
    """
    answers: list[Any] = []
    thread = threading.Thread(target=copy_context().run, args=(_do, deed, answers))
    with transaction.atomic():
        row = Student.objects.select_for_update().get(pk=student.pk)
        thread.start()
        _wait_until(lambda: not thread.is_alive() or _is_waited_for())
        personal_data.erase(row, clock.now())
    thread.join(PATIENCE)
    (answer,) = answers
    return answer


def _do(deed: Callable[[], Any], answers: list[Any]) -> None:
    try:
        answers.append(deed())
    except DomainError as refusal:
        answers.append(refusal)
    finally:
        connections.close_all()


def _is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_WAITS_FOR_US)
        return bool(cursor.fetchone()[0])


def _wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
