from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "tenant_apps.notifications"
    label = "notifications"

    def ready(self) -> None:
        """Connect to the notices about students and to restores, and register what this app stores about a student."""
        from shared_apps.tenants.exports.restore import dojo_restored
        from tenant_apps.notifications import addresses, outbox, privacy
        from tenant_apps.students import merging
        from tenant_apps.students.events import notices_published

        notices_published.connect(outbox.queue_notices, dispatch_uid="notifications.outbox")
        dojo_restored.connect(addresses.rehash_addresses, dispatch_uid="notifications.restoring")
        privacy.register()
        merging.register_other("notifications", privacy.merge)
