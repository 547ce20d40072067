from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "shared_apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register the models in which the HTTP kernel stores audit entries and responses to idempotent requests."""
        from shared_apps.accounts.models import AuditEntry, IdempotentAnswer
        from tatami.api import registry

        registry.audit_model.register(AuditEntry)
        registry.idempotency_model.register(IdempotentAnswer)
