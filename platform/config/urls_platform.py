"""What the platform host answers."""

from django.urls import include, path

urlpatterns = [
    path("", include("shared_apps.accounts.urls")),
    path("", include("shared_apps.tenants.urls")),
    path("", include("tatami.api.urls")),
]
handler400 = "tatami.api.errors.bad_request"
handler403 = "tatami.api.errors.permission_denied"
handler404 = "tatami.api.errors.not_found"
handler500 = "tatami.api.errors.server_error"
