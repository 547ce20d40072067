"""What the demo dojos are: where, which art by whose grades, and their weekly timetable."""

from dataclasses import dataclass
from typing import Any, Final

_WORKDAYS: Final = ("mo", "tu", "we", "th", "fr")


@dataclass(frozen=True, slots=True)
class WeeklyClass:
    """A class of the timetable, in local time; `class_type` (kids, adults, mixed) says for whom."""

    name: str
    class_type: str
    weekdays: tuple[str, ...]
    start_time: str
    duration_minutes: int
    location: str = "Main mat"

    @property
    def recurrence(self) -> dict[str, Any]:
        """Return the contract's document but for its first day, `from`."""
        return {
            "weekdays": list(self.weekdays),
            "start_time": self.start_time,
            "duration_minutes": self.duration_minutes,
        }


@dataclass(frozen=True, slots=True)
class DemoDojo:
    """A dojo to make. `weeks` ago it began to record attendance; `usual_months` is the least it waits with a rank."""

    slug: str
    name: str
    timezone: str
    preset: str
    usual_months: int
    weeks: int
    timetable: tuple[WeeklyClass, ...]


SEISHIN: Final = DemoDojo(
    slug="seishin",
    name="Seishin Aikido",
    timezone="Europe/Berlin",
    preset="aikikai",
    usual_months=6,
    weeks=26,
    timetable=(
        WeeklyClass("Kids", "kids", ("tu",), "17:00", 60),
        WeeklyClass("Adults", "adults", ("th",), "19:30", 90),
        WeeklyClass("All together", "mixed", ("sa",), "10:30", 120),
    ),
)
TORA: Final = DemoDojo(
    slug="tora",
    name="Tora Jiu-Jitsu",
    timezone="America/Sao_Paulo",
    preset="ibjjf-adult",
    usual_months=20,
    weeks=26,
    timetable=(
        WeeklyClass("Kids", "kids", ("mo",), "17:30", 60),
        WeeklyClass("Adults", "adults", ("we",), "19:00", 90),
        WeeklyClass("Open mat", "mixed", ("sa",), "11:00", 120),
    ),
)
BIG: Final = DemoDojo(
    slug="big",
    name="Big Dojo",
    timezone="Europe/Berlin",
    preset="aikikai",
    usual_months=6,
    weeks=156,
    timetable=(
        WeeklyClass("Early birds", "adults", _WORKDAYS, "06:30", 60),
        WeeklyClass("Lunch", "adults", _WORKDAYS, "12:15", 60),
        WeeklyClass("Kids, first", "kids", _WORKDAYS, "15:30", 60),
        WeeklyClass("Kids, second", "kids", _WORKDAYS, "16:45", 60, "Small mat"),
        WeeklyClass("Families", "mixed", _WORKDAYS, "17:00", 60),
        WeeklyClass("Basics", "adults", _WORKDAYS, "18:15", 75),
        WeeklyClass("All grades", "adults", _WORKDAYS, "18:30", 90, "Small mat"),
        WeeklyClass("Weapons", "adults", ("mo", "we", "fr"), "20:00", 60),
        WeeklyClass("Free practice", "mixed", ("tu", "th"), "20:00", 90),
        WeeklyClass("Weekend kids", "kids", ("sa", "su"), "09:30", 60),
        WeeklyClass("Weekend", "mixed", ("sa", "su"), "11:00", 120),
    ),
)
