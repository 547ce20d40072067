from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    name = "tenant_apps.promotions"
    label = "promotions"

    def ready(self) -> None:
        """Register the personal data that this app stores."""
        from tenant_apps.promotions import merge_rules, privacy

        privacy.register()
        merge_rules.register_rules()
