from django.apps import AppConfig


class CompositionConfig(AppConfig):
    """The commands that need everything: prepare, and the demo dojos."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        """Have the web process and the commands call workers through our Celery, not through its default."""
        import config.celery  # noqa: F401
