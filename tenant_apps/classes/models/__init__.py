"""Classes as they recur, who is enrolled, the sessions made from them, and the addresses of calendar feeds."""

from tenant_apps.classes.models.calendar_feed import CalendarFeed
from tenant_apps.classes.models.class_session import ClassSession, ClassSessionQuerySet
from tenant_apps.classes.models.training_class import (
    CheckInWindow,
    ClassInstructor,
    Enrolment,
    EnrolmentQuerySet,
    TrainingClass,
)

__all__ = [
    "CalendarFeed",
    "CheckInWindow",
    "ClassInstructor",
    "ClassSession",
    "ClassSessionQuerySet",
    "Enrolment",
    "EnrolmentQuerySet",
    "TrainingClass",
]
