"""Work for a dojo that outlives a request, in pieces: what is to be done, and whose turn it is.

An app keeps what is to be done in rows of the dojo and declares a job, which does the next piece of it:

    @job("promotions.batches")
    def run_batches(turn: Turn) -> str | None: …

    run_batches.request()        # with the rows, in their transaction

PostgreSQL is the truth, Celery the wake-up call. When the transaction commits, the platform notes that this dojo waits
for a turn of this job (`shared_apps.tenants.turns`); workers give turns to whoever has waited longest, so a dojo with
ten thousand things to do holds up nobody with ten. A turn that was cut off is given again: do each piece in one
transaction, and claim its rows with SKIP LOCKED.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from tatami.metrics import observed_turn
from tatami.observability import current_request_id
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import current_tenant

DONE: Final = None
"""What a job returns when nothing is left to do."""

MORE: Final = ""
"""What a job returns that finds what is left by itself."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of work for the dojo whose scope is in force."""

    now: datetime
    attempt: int = 1
    """More than 1: the turns before this one did not come to their end (a killed worker, an error)."""
    cursor: str = ""
    """What the turn before returned: where to go on."""


Work = Callable[[Turn], str | None]
"""Does a piece that takes a second or two. Returns where the next turn goes on, `DONE` when nothing is left."""


@dataclass(frozen=True)
class Job:
    """A kind of work that every dojo may have. Its name is kept in rows: it never changes."""

    name: str
    work: Work = field(repr=False)

    def __call__(self, turn: Turn) -> str | None:
        with observed_turn(self.name):
            return self.work(turn)

    def request(self) -> None:
        """Ask for turns for the dojo in force, when the transaction commits. Asking twice is asking once.

        A process that is killed between the commit and the note leaves the rows without it: beat asks on behalf of
        every dojo once in a while. Raises `NoScope` outside a dojo's scope.
        """
        tenant, request_id = current_tenant(), current_request_id()

        def ask() -> None:  # no partial: Django names what failed by its `__qualname__`
            directory().request_turn(tenant, self.name, request_id=request_id)

        transaction.on_commit(ask, robust=True)


class JobNameTaken(RuntimeError):
    """Two jobs have the same name."""


_jobs: dict[str, Job] = {}


def job(name: str) -> Callable[[Work], Job]:
    """Declare the function below as the work of a job. Raises `JobNameTaken`."""

    def declare(work: Work) -> Job:
        if name in _jobs:
            raise JobNameTaken(name)
        _jobs[name] = Job(name, work)
        return _jobs[name]

    return declare


def job_named(name: str) -> Job:
    """Return the job with this name. Raises `KeyError` for one that this process does not know."""
    return _jobs[name]
