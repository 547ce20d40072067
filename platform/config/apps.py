from django.apps import AppConfig


class CompositionConfig(AppConfig):
    """The commands that need everything: prepare, and the demo dojos."""

    name = "config"
    label = "config"
