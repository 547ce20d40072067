from django.apps import AppConfig


class StudentsConfig(AppConfig):
    name = "tenant_apps.students"
    label = "students"

    def ready(self) -> None:
        """Register the personal data that this app holds, and its usage figures."""
        from tatami import usage
        from tenant_apps.students import privacy
        from tenant_apps.students.services import count_students

        privacy.register_students()
        usage.register(count_students)
