"""The sentences in English."""

from typing import Final

from tenant_apps.promotions.engine.english.record import RECORD
from tenant_apps.promotions.engine.english.time import TIME
from tenant_apps.promotions.engine.english.training import TRAINING
from tenant_apps.promotions.engine.phrases import NO_STEP, Phrases, Reading
from tenant_apps.promotions.engine.results import Status


def _no_step(target: str, reading: Reading) -> str:
    if reading.rank == target:
        return f"Already holds {target}."
    return f"There is no step from {reading.rank or 'no rank'} to {target}."


ENGLISH: Final[Phrases] = {**TIME, **TRAINING, **RECORD, (NO_STEP, Status.NOT_MET): _no_step}
