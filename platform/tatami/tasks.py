"""Celery tasks of the platform, which bear the request that caused them into the worker's log.

Work for a dojo is no task of its own: see `tatami.work`.
"""

from typing import Any

import structlog
from celery import Task
from kombu.exceptions import OperationalError

from tatami.observability import bound_task, current_request_id
from tatami.tenancy.scope import platform_scope

REQUEST_HEADER = "tatami_request"

logger = structlog.get_logger(__name__)


class PlatformTask(Task):  # type: ignore[type-arg]
    """The base of all tasks. They begin in the platform's scope, and run twice safely."""

    abstract = True

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        headers = {REQUEST_HEADER: current_request_id(), **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, headers=headers, **options)

    def call(self, *args: Any, **options: Any) -> bool:
        """Have a worker do it, and say whether Valkey took the call; without Valkey a line is logged, nothing raised.

        For what beat calls for again: what is to be done stands in PostgreSQL.
        """
        try:
            self.apply_async(args, **options)
        except OperationalError as error:
            logger.warning("nobody_woken", called=self.name, reason=str(error))
            return False
        return True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        caused_by = request.get(REQUEST_HEADER) or (request.headers or {}).get(REQUEST_HEADER)
        with bound_task(self.name, request.id, None, caused_by), platform_scope():
            return super().__call__(*args, **kwargs)
