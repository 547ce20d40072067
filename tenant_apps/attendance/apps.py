from django.apps import AppConfig


class AttendanceConfig(AppConfig):
    name = "tenant_apps.attendance"
    label = "attendance"

    def ready(self) -> None:
        """Say what this app holds about a person."""
        from tenant_apps.attendance import own_data

        own_data.register()
