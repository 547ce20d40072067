from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "tenant_apps.desk"
    label = "desk"

    def ready(self) -> None:
        """Register the page that a browser gets in place of a JSON error."""
        from tatami.api import registry
        from tenant_apps.desk.error_pages import error_page

        registry.error_page.register(error_page)
