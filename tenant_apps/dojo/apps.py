from django.apps import AppConfig


class DojoConfig(AppConfig):
    name = "tenant_apps.dojo"
    label = "dojo"

    def ready(self) -> None:
        """Connect to restores."""
        from shared_apps.tenants.exports.restore import dojo_restored
        from tenant_apps.dojo import services

        dojo_restored.connect(services.publish_language, dispatch_uid="dojo.language")
