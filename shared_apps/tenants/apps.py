from django.apps import AppConfig
from django.db.models.signals import post_delete


class TenantsConfig(AppConfig):
    name = "shared_apps.tenants"
    label = "tenants"

    def ready(self) -> None:
        """Register the tenants with the kernel, and disconnect django-tenants' receiver of `post_delete`.

        That receiver drops the schema of a deleted tenant as a side effect, which `lifecycle.purge` does explicitly.
        And while any receiver for all models is connected, Django fetches the rows of a bulk DELETE and deletes them
        in batches of a hundred.
        """
        from django_tenants.signals import tenant_delete_callback

        from shared_apps.tenants import fleet_state, tenant_registry
        from tatami.tenancy.tenant_registry import register_tenant_registry

        post_delete.disconnect(tenant_delete_callback)
        register_tenant_registry(
            find_tenant=tenant_registry.find_tenant,
            find_tenant_by_id=tenant_registry.find_tenant_by_id,
            enqueue_job=tenant_registry.enqueue_job,
            count_overdue_jobs=tenant_registry.count_overdue_jobs,
            read_fleet_state=fleet_state.read_fleet_state,
            report_backlog=fleet_state.report_backlog,
            read_epoch=tenant_registry.read_epoch,
            change_tenant=tenant_registry.change_tenant,
        )
