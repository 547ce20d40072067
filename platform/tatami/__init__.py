"""The kernel: what knows no app.

Every process of Tatami imports this package first. It makes the pinned package tzdata the only source of time zones:
otherwise zoneinfo would prefer the files of the system, which are of another date on each machine. PostgreSQL has its
own, so no statement converts between zones (`tatami.clock`).
"""

import zoneinfo

zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
