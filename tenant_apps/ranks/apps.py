from django.apps import AppConfig


class RanksConfig(AppConfig):
    name = "tenant_apps.ranks"
    label = "ranks"
