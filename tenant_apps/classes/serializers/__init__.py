"""The shape of classes, enrolments and sessions."""

from tenant_apps.classes.serializers.class_session import (
    CancellationSerializer,
    NewSessionSerializer,
    SessionChangesSerializer,
    SessionSerializer,
)
from tenant_apps.classes.serializers.training_class import EnrolmentSerializer, TrainingClassSerializer

__all__ = [
    "CancellationSerializer",
    "EnrolmentSerializer",
    "NewSessionSerializer",
    "SessionChangesSerializer",
    "SessionSerializer",
    "TrainingClassSerializer",
]
