"""An unavailable Valkey, for code that publishes tasks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu import pools

from config import celery

app: Any = celery.app
"""The Celery app, without its types: they lack what `publish_to` sets."""


def publish_to(url: str) -> None:
    """Publish to `url` from now on, over new connections, because connection pools outlive a test."""
    app.conf.broker_write_url = url
    pools.reset()
    app._pool = app.amqp._producer_pool = None


@contextmanager
def valkey_unavailable() -> Iterator[None]:
    """Publish to a port on which nothing listens."""
    before = app.conf.broker_write_url
    publish_to("redis://127.0.0.1:1/0")
    try:
        yield
    finally:
        publish_to(before)
