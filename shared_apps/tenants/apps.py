from django.apps import AppConfig
from django.db.models.signals import post_delete


class TenantsConfig(AppConfig):
    name = "shared_apps.tenants"
    label = "tenants"

    def ready(self) -> None:
        """Stop django-tenants from listening to the deletion of every row of every model.

        It waits for a tenant's, to drop a schema as a side effect, which `lifecycle.purge` does by name; and while
        anybody listens, Django fetches the rows of a bulk DELETE and deletes them a hundred at a time.
        """
        from django_tenants.signals import tenant_delete_callback

        post_delete.disconnect(tenant_delete_callback)
