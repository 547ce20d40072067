"""When Python looks for reference cycles. The default suits short scripts, not a process that keeps an application.

Python looks through the youngest objects for each 700 that are new, and through all of them every now and then: in a
check of five thousand students, which creates hundreds of thousands of objects and no cycle, that took as long as the
check itself. Objects without cycles, nearly all of ours, are freed at once, whatever these numbers are.
"""

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 20, 20)
"""New objects before the youngest are looked through (a few megabytes), and how many of these rounds come before the
next older ones are looked through, too."""


def collect_less_often() -> None:
    """Call it when the application is loaded. What exists now stays until the process ends, and is not looked through.

    A process that forks afterwards shares these objects' memory with its children.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
