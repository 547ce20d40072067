from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "tenant_apps.notifications"
    label = "notifications"

    def ready(self) -> None:
        """Listen to what students are told, and say what this app holds about a person."""
        from tenant_apps.notifications import outbox, own_data
        from tenant_apps.students.notices import notice_given

        notice_given.connect(outbox.on_notice, dispatch_uid="notifications.outbox")
        own_data.register()
