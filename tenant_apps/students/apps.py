from django.apps import AppConfig


class StudentsConfig(AppConfig):
    name = "tenant_apps.students"
    label = "students"

    def ready(self) -> None:
        """Say what this app holds about a person, and how much of it a dojo has."""
        from tatami import usage
        from tenant_apps.students import own_data
        from tenant_apps.students.usage import count_students

        own_data.register()
        usage.register(count_students)
