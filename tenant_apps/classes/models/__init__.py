"""The tables of the schedule: classes, their sessions, closures, enrolments and calendar feeds."""

from tenant_apps.classes.models.enrolments import Enrolment, EnrolmentPeriodQuerySet, PastEnrolment
from tenant_apps.classes.models.schedule import (
    DEVICE_ROLE,
    CalendarFeed,
    ClassInstructor,
    ClassSession,
    ClosedClass,
    Closure,
    TrainingClass,
)

__all__ = [
    "DEVICE_ROLE",
    "CalendarFeed",
    "ClassInstructor",
    "ClassSession",
    "ClosedClass",
    "Closure",
    "Enrolment",
    "EnrolmentPeriodQuerySet",
    "PastEnrolment",
    "TrainingClass",
]
