from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "shared_apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register what the HTTP kernel needs: API keys, audit entries and responses to idempotent requests."""
        from shared_apps.accounts.api_keys import find_api_key_user
        from shared_apps.accounts.models import AuditEntry, IdempotentAnswer
        from tatami.api import registry

        registry.find_api_key_user.register(find_api_key_user)
        registry.audit_model.register(AuditEntry)
        registry.idempotency_model.register(IdempotentAnswer)
