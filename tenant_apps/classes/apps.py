from datetime import datetime
from typing import Any

from django.apps import AppConfig


class ClassesConfig(AppConfig):
    name = "tenant_apps.classes"
    label = "classes"

    def ready(self) -> None:
        """Register the personal data of this app."""
        from tenant_apps.classes.models import Enrolment, PastEnrolment
        from tenant_apps.classes.serializers import EnrolmentSerializer, PastEnrolmentSerializer
        from tenant_apps.students import merging, privacy
        from tenant_apps.students.models import Student

        def register(name: str, model: Any, serializer: Any) -> None:
            rows = model.objects.select_related("student", "training_class")

            def erase(student: Student, _now: datetime) -> None:
                model.objects.filter(student=student).delete()

            privacy.register(
                name,
                collect=lambda student: serializer(rows.filter(student=student), many=True).data,
                erase=erase,
                models=(model,),
            )

        register("enrolments", Enrolment, EnrolmentSerializer)
        register("past_enrolments", PastEnrolment, PastEnrolmentSerializer)
        merging.register(
            Enrolment, rule=merging.drop_clashing(Enrolment, "enrolments", show="training_class__name")
        )
        merging.register(
            PastEnrolment,
            rule=merging.drop_clashing(PastEnrolment, "past_enrolments", show="training_class__name"),
        )
