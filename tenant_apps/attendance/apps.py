from django.apps import AppConfig


class AttendanceConfig(AppConfig):
    name = "tenant_apps.attendance"
    label = "attendance"

    def ready(self) -> None:
        """Register how devices authenticate, and the personal data and the usage figures of this app."""
        from tatami import usage
        from tatami.api import registry
        from tenant_apps.attendance import merge_rules, privacy
        from tenant_apps.attendance.devices import find_device
        from tenant_apps.attendance.reports import count_attendances

        registry.find_device.register(find_device)
        privacy.register()
        merge_rules.register_rules()
        usage.register(count_attendances)
