"""Routes of the platform host."""

from django.urls import path

from shared_apps.tenants import views

urlpatterns = [
    path("tls/domain", views.TlsDomain.as_view(), name="tls-domain"),
    path("tenants/<uuid:id>/usage", views.TenantUsageResource.as_view(), name="tenant-usage"),
    path("tenants/<uuid:id>/impersonations", views.Impersonations.as_view(), name="tenant-impersonations"),
    path("tenants", views.TenantCollection.as_view(), name="tenants"),
    path("tenants/<uuid:id>", views.TenantResource.as_view(), name="tenant"),
    path("tenants/<uuid:id>/purge", views.TenantPurge.as_view(), name="tenant-purge"),
    path("tenants/<uuid:id>/exports", views.ExportCollection.as_view(), name="tenant-exports"),
    path("tenants/<uuid:id>/exports/<uuid:export_id>", views.ExportResource.as_view(), name="tenant-export"),
    path(
        "tenants/<uuid:id>/exports/<uuid:export_id>/archive",
        views.ExportArchive.as_view(),
        name="tenant-export-archive",
    ),
    path("tenants/<uuid:id>/domains", views.DomainCollection.as_view(), name="tenant-domains"),
    path("tenants/<uuid:id>/domains/<str:domain>", views.DomainResource.as_view(), name="tenant-domain"),
    path(
        "tenants/<uuid:id>/domains/<str:domain>/verification",
        views.DomainVerification.as_view(),
        name="tenant-domain-verification",
    ),
]
