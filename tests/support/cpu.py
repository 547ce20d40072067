"""A budget of processor time, for requests that must not cost more than they may."""

import gc
import time


class CpuBudget:
    """The processor time of this process within a block, which a busy machine hardly changes.

    What the tests have created before is left out of garbage collection, as web processes leave out what they loaded:
    looking through it may cost more than the request.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> "CpuBudget":
        gc.freeze()
        self.began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        used = time.process_time() - self.began
        gc.unfreeze()
        assert used < self.seconds, f"{used:.2f} s of processor time"
