"""The first steps of a new dojo, as a list that checks itself off: art, grades, first class, first students, kiosk."""

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from tenant_apps.attendance.models import Attendance, Device
from tenant_apps.classes.models import TrainingClass
from tenant_apps.desk.office.settings.view import SettingsPage
from tenant_apps.ranks.models import Discipline, RankSystem
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, why, where, and whether it is done."""

    title: str
    text: str
    url: str
    done: bool


class FirstSteps(SettingsPage):
    """What a new dojo does first, and what of it is done. One statement a step."""

    template_name = "desk/office/first_steps/first_steps.html"

    def context(self) -> dict[str, Any]:
        found = steps()
        return {
            "tab": "first-steps",
            "steps": found,
            "done": sum(step.done for step in found),
            "total": len(found),
        }


def steps() -> list[Step]:
    """Return the steps in their order."""
    return [
        Step(
            gettext("Name your art"),
            gettext("A discipline is what you teach: aikido, judo, karate. Attendance counts in it."),
            _address("disciplines"),
            Discipline.objects.not_archived().exists(),
        ),
        Step(
            gettext("Choose your grades"),
            gettext("Take a rank system with its rules from a federation, or write your own."),
            _address("rank-systems"),
            RankSystem.objects.not_archived().exists(),
        ),
        Step(
            gettext("Plan the first class"),
            gettext("Its weekdays and times fill the schedule."),
            _address("schedule"),
            TrainingClass.objects.not_archived().exists(),
        ),
        Step(
            gettext("Add the first students"),
            gettext("Type them in, or import a list from a spreadsheet."),
            _address("students"),
            Student.objects.not_archived().exists(),
        ),
        Step(
            gettext("Set up the kiosk"),
            gettext("A tablet at the door checks students in with their cards or phones."),
            _address("devices"),
            Device.objects.filter(paired_at__isnull=False, revoked_at__isnull=True).exists(),
        ),
        Step(
            gettext("Record the first visit"),
            gettext("Scan a card at the kiosk, or mark a student on the roster of a session."),
            _address("today"),
            Attendance.objects.not_voided().exists(),
        ),
    ]


def _address(page: str) -> str:
    try:
        return reverse(f"desk:{page}")
    except NoReverseMatch:
        return ""
