from django.apps import AppConfig


class StudentsConfig(AppConfig):
    name = "tenant_apps.students"
    label = "students"

    def ready(self) -> None:
        """Say what this app holds about a person."""
        from tenant_apps.students import own_data

        own_data.register()
