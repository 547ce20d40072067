"""The HTTP kernel as a Django app: for its system checks and its extensions of the OpenAPI document."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "tatami.api"
    label = "api"

    def ready(self) -> None:
        """Register what registers itself when imported."""
        from tatami.api.openapi import document  # noqa: F401
