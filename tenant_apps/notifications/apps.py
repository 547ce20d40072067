from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "tenant_apps.notifications"
    label = "notifications"

    def ready(self) -> None:
        """Listen to what students are told, and say what this app holds about a person."""
        from shared_apps.tenants.exports.signals import dojo_restored
        from tenant_apps.notifications import outbox, own_data, restoring
        from tenant_apps.students.notices import notice_given

        notice_given.connect(outbox.on_notice, dispatch_uid="notifications.outbox")
        dojo_restored.connect(restoring.know_addresses_again, dispatch_uid="notifications.restoring")
        own_data.register()
