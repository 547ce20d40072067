from datetime import datetime

from django.apps import AppConfig


class ClassesConfig(AppConfig):
    name = "tenant_apps.classes"
    label = "classes"

    def ready(self) -> None:
        """Register the personal data of this app."""
        from tenant_apps.classes.models import Enrolment
        from tenant_apps.classes.serializers import EnrolmentSerializer
        from tenant_apps.students import merging, privacy
        from tenant_apps.students.models import Student

        rows = Enrolment.objects.select_related("student", "training_class")

        def erase(student: Student, _now: datetime) -> None:
            Enrolment.objects.filter(student=student).delete()

        merging.register(
            Enrolment, rule=merging.drop_clashing(Enrolment, "enrolments", show="training_class__name")
        )
        privacy.register(
            "enrolments",
            collect=lambda student: EnrolmentSerializer(rows.filter(student=student), many=True).data,
            erase=erase,
            models=(Enrolment,),
        )
