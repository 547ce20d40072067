"""Routes of the platform host."""

from django.urls import path

from shared_apps.tenants import domain_views, views
from shared_apps.tenants.exports import views as exports
from shared_apps.tenants.impersonation_views import Impersonations
from shared_apps.tenants.usage_views import TenantUsageResource

urlpatterns = [
    path("tenants/<uuid:id>/usage", TenantUsageResource.as_view(), name="tenant-usage"),
    path("tenants/<uuid:id>/impersonations", Impersonations.as_view(), name="tenant-impersonations"),
    path("tenants", views.TenantCollection.as_view(), name="tenants"),
    path("tenants/<uuid:id>", views.TenantResource.as_view(), name="tenant"),
    path("tenants/<uuid:id>/purge", views.TenantPurge.as_view(), name="tenant-purge"),
    path("tenants/<uuid:id>/exports", exports.ExportCollection.as_view(), name="tenant-exports"),
    path(
        "tenants/<uuid:id>/exports/<uuid:export_id>", exports.ExportResource.as_view(), name="tenant-export"
    ),
    path(
        "tenants/<uuid:id>/exports/<uuid:export_id>/archive",
        exports.ExportArchive.as_view(),
        name="tenant-export-archive",
    ),
    path("tenants/<uuid:id>/domains", domain_views.DomainCollection.as_view(), name="tenant-domains"),
    path(
        "tenants/<uuid:id>/domains/<str:domain>", domain_views.DomainResource.as_view(), name="tenant-domain"
    ),
    path(
        "tenants/<uuid:id>/domains/<str:domain>/verification",
        domain_views.DomainVerification.as_view(),
        name="tenant-domain-verification",
    ),
]
