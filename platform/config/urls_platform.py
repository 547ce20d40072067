"""Routes of the platform host."""

from django.contrib.admin import autodiscover
from django.urls import include, path
from django.views.generic import RedirectView

from config.openapi import PLATFORM_OPERATIONS
from shared_apps.accounts.console.site import console, entry

autodiscover()
urlpatterns = [
    path("", entry, name="admin:entry"),
    path("console", RedirectView.as_view(url="/console/"), name="admin"),
    path("console/", console.urls),
    path("", include("shared_apps.accounts.urls")),
    path("", include("shared_apps.webhooks.urls")),
    path("", include("shared_apps.tenants.urls")),
    path("", include("tatami.api.openapi.views")),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.exception_mapping.error_handler"
namespaces_with_own_access_control = ("admin",)
"""`shared_apps.accounts.console.site` checks the access to its pages itself (see `tatami.api.routes`)."""
operations = PLATFORM_OPERATIONS
