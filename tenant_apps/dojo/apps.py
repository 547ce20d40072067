from django.apps import AppConfig


class DojoConfig(AppConfig):
    name = "tenant_apps.dojo"
    label = "dojo"
