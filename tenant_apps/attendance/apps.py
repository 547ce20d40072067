from django.apps import AppConfig


class AttendanceConfig(AppConfig):
    name = "tenant_apps.attendance"
    label = "attendance"

    def ready(self) -> None:
        """Register the personal data and the usage count of this app, and the lookup of devices by token."""
        from tatami import usage
        from tatami.api import registry
        from tenant_apps.attendance import own_data
        from tenant_apps.attendance.devices import find_device
        from tenant_apps.attendance.usage import count_attendances

        own_data.register()
        registry.find_device.register(find_device)
        usage.register(count_attendances)
