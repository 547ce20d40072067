"""Events that students are notified of: a promotion, an invitation to an exam, a cancelled class.

The events of classes and promotions are here, too, because classes, promotions and notifications may all import it. The
code that makes a change publishes notices in its transaction and does not depend on mail. `tenant_apps.notifications`
listens and writes its outbox in the same transaction, so that notices and change are committed together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.dispatch import Signal

notices_published: Final = Signal()
"""Sent with `kind`, a name such as `promotion`, and `notices`. An exception in a listener rolls the change back."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event as one student is notified of it."""

    student: UUID
    values: Mapping[str, str] = field(default_factory=dict)
    """Variables for the text, beside student and dojo; dates and times as people in the dojo read them."""
    certificate: UUID | None = None
    """The rank event whose certificate is attached."""


def publish_notices(kind: str, notices: Sequence[Notice]) -> None:
    """Notify students of an event. Call this in the transaction of the change."""
    if notices:
        notices_published.send(sender=Notice, kind=kind, notices=notices)
