"""Valkey away, as publishers see it."""

from collections.abc import Iterator
from contextlib import contextmanager

from kombu import pools

from config.celery import app


def publish_to(url: str) -> None:
    """Have everything published there from now on, over connections of its own: pools outlive a test."""
    app.conf.broker_write_url = url
    pools.reset()
    app._pool = app.amqp._producer_pool = None


@contextmanager
def valkey_away() -> Iterator[None]:
    """Publish to where nobody listens."""
    before = app.conf.broker_write_url
    publish_to("redis://127.0.0.1:1/0")
    try:
        yield
    finally:
        publish_to(before)
