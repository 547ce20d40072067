"""What the platform host answers."""

from django.contrib.admin import autodiscover
from django.urls import include, path
from django.views.generic import RedirectView

from config.openapi import PLATFORM_OPERATIONS
from shared_apps.accounts.console.site import console

autodiscover()
urlpatterns = [
    path("console", RedirectView.as_view(url="/console/"), name="admin"),
    path("console/", console.urls),
    path("", include("shared_apps.accounts.urls")),
    path("", include("shared_apps.tenants.urls")),
    path("", include("tatami.api.urls")),
]
handler400 = "tatami.api.errors.bad_request"
handler403 = "tatami.api.errors.permission_denied"
handler404 = "tatami.api.errors.not_found"
handler500 = "tatami.api.errors.server_error"
operations = PLATFORM_OPERATIONS
