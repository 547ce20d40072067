from django.apps import AppConfig


class AttendanceConfig(AppConfig):
    name = "tenant_apps.attendance"
    label = "attendance"

    def ready(self) -> None:
        """Say what this app holds about a person, and how much of it a dojo has."""
        from tatami import usage
        from tenant_apps.attendance import own_data
        from tenant_apps.attendance.usage import count_attendances

        own_data.register()
        usage.register(count_attendances)
