"""Word for students that something concerns them: a promotion, an invitation, a class that is cancelled.

Whoever does the deed gives notice in its transaction and knows nothing of mail; `tenant_apps.notifications` listens and
writes its outbox there, so that the word commits with the deed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.dispatch import Signal

notice_given: Final = Signal()
"""Sent with `kind`, a name such as `promotion`, and `notices`. What a listener raises undoes the deed."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one student is told."""

    student: UUID
    values: Mapping[str, str] = field(default_factory=dict)
    """What the text may name beside the student and the dojo; dates and times as a person of the dojo reads them."""
    certificate: UUID | None = None
    """The rank event whose certificate comes along."""


def give_notice(kind: str, notices: Sequence[Notice]) -> None:
    """Tell students something. Call it in the transaction of the deed."""
    if notices:
        notice_given.send(sender=Notice, kind=kind, notices=notices)
