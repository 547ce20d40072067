from django.apps import AppConfig


class CompositionConfig(AppConfig):
    """Connects the apps: the access table, Celery, and the commands that need several apps."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        """Register the access table, and make our Celery application the current one in every process."""
        import config.celery  # noqa: F401
        from config.access import ACCESS
        from tatami.api import registry

        registry.access_table.register(ACCESS)
