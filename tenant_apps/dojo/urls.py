from django.urls import path

from tenant_apps.dojo import views

urlpatterns = [
    path("settings", views.Settings.as_view(), name="settings"),
    path("settings/logo", views.Logo.as_view(), name="settings-logo"),
]
