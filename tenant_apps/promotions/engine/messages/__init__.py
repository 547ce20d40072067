"""Messages: one sentence for each criterion, for students and parents, in one table per language.

`ENGLISH` maps (kind, status) to the function that writes the sentence. Another language is another such table, passed
to `evaluate`. A test checks that every table is complete.
"""

from typing import Final

from tenant_apps.promotions.engine.messages.records import RECORD_MESSAGES
from tenant_apps.promotions.engine.messages.training import TRAINING_MESSAGES
from tenant_apps.promotions.engine.messages.wording import NO_STEP, MessageContext, Messages
from tenant_apps.promotions.engine.results import Status


def _no_step(target: str, context: MessageContext) -> str:
    if context.rank == target:
        return f"Already holds {target}."
    return f"There is no step from {context.rank or 'no rank'} to {target}."


ENGLISH: Final[Messages] = {**TRAINING_MESSAGES, **RECORD_MESSAGES, (NO_STEP, Status.NOT_MET): _no_step}
