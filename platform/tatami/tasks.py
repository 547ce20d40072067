"""Celery tasks of the platform, which bear the request that caused them into the worker's log.

Work for a dojo is no task of its own: see `tatami.work`.
"""

from typing import Any

from celery import Task

from tatami.observability import bound_task, current_request_id
from tatami.tenancy.scope import platform_scope

REQUEST_HEADER = "tatami_request"


class PlatformTask(Task):  # type: ignore[type-arg]
    """The base of all tasks. They begin in the platform's scope, and run twice safely."""

    abstract = True

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        headers = {REQUEST_HEADER: current_request_id(), **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        caused_by = request.get(REQUEST_HEADER) or (request.headers or {}).get(REQUEST_HEADER)
        with bound_task(self.name, request.id, None, caused_by), platform_scope():
            return super().__call__(*args, **kwargs)
