"""Stored answers to writes (`Idempotency-Key`) that show a person.

The rule: an answer goes if its path, its caller or its text names an id that was erased. An answer that shows anything
of a person refers to her by `{id, name}`, so none is missed; all others still replay. They live for 24 hours at most,
which bounds the scan.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import BinaryField, F, Func, IntegerField, Q, Value

from tatami.api.idempotency import stored_responses


def forget_answers_about(ids: Sequence[UUID]) -> None:
    """Delete the stored answers that name any of `ids`. One statement."""
    naming = Q(caller__in=ids)
    places = {}
    for number, id_ in enumerate(ids):
        text = Value(str(id_).encode(), output_field=BinaryField())
        places[f"at_{number}"] = Func(
            text,
            F("answer"),
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=IntegerField(),
        )
        naming |= Q(path__contains=str(id_)) | Q(**{f"at_{number}__gt": 0})
    stored_responses().alias(**places).filter(naming).delete()
