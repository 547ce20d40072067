from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    name = "tenant_apps.promotions"
    label = "promotions"

    def ready(self) -> None:
        """Say what this app holds about a person."""
        from tenant_apps.promotions import own_data

        own_data.register()
