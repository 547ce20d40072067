"""Messages: what a student or a parent reads about each criterion, in the language that is active.

`MESSAGES` maps (kind, status) to the function that writes the sentences. The English texts stand in the code; other
languages are catalogues in `tenant_apps/promotions/locale`. A test checks that the table is complete, and that each
catalogue has a translation of every text.
"""

from typing import Final

from tenant_apps.promotions.engine.messages.facts import FACT_MESSAGES
from tenant_apps.promotions.engine.messages.ranks import RANK_MESSAGES
from tenant_apps.promotions.engine.messages.training import TRAINING_MESSAGES
from tenant_apps.promotions.engine.messages.translated import gettext as _
from tenant_apps.promotions.engine.messages.wording import Messages

NO_STEP: Final = "step"
"""The kind of the criterion for a step that the rules do not have."""

MESSAGES: Final[Messages] = {**RANK_MESSAGES, **TRAINING_MESSAGES, **FACT_MESSAGES}


def no_step(held: str | None, target: str) -> str:
    """Return the message if no step leads from the rank held (None: no rank) to the target; both are names."""
    if held == target:
        return _("Already holds {target}.").format(target=target)
    if held is None:
        return _("The rules have no step to {target} for students without a rank in this system.").format(
            target=target
        )
    return _("The rules have no step from {rank} to {target}.").format(rank=held, target=target)
