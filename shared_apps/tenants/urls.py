"""Routes of the platform host."""

from django.urls import path

from shared_apps.tenants import views

urlpatterns = [
    path("tenants", views.TenantCollection.as_view(), name="tenants"),
    path("tenants/<uuid:id>", views.TenantResource.as_view(), name="tenant"),
    path("tenants/<uuid:id>/purge", views.TenantPurge.as_view(), name="tenant-purge"),
]
