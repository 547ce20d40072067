"""The HTTP kernel as a Django app: its system checks, and its extensions of drf-spectacular."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "tatami.api"
    label = "api"

    def ready(self) -> None:
        """Import the modules that register system checks and OpenAPI extensions."""
        from tatami.api import routes  # noqa: F401
        from tatami.api.openapi import document  # noqa: F401
