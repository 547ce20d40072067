"""A budget of processor time, for requests that must not cost more than they may."""

import time


class CpuBudget:
    """The processor time of this process within a block, which a busy machine hardly changes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> "CpuBudget":
        self.began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        used = time.process_time() - self.began
        assert used < self.seconds, f"{used:.2f} s of processor time"
