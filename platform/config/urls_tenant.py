"""Routes of a dojo's host."""

from django.urls import include, path

from config.openapi import OPERATION_IDS, TENANT_OPERATIONS
from shared_apps.accounts.urls import shared_patterns
from shared_apps.tenants.own_exports import OwnExport, OwnExportArchive, OwnExports

urlpatterns = [
    *shared_patterns,
    path("", include("shared_apps.accounts.oidc.urls")),
    path("", include("shared_apps.webhooks.urls")),
    path("exports", OwnExports.as_view(), name="own-exports"),
    path("exports/<uuid:id>", OwnExport.as_view(), name="own-export"),
    path("exports/<uuid:id>/archive", OwnExportArchive.as_view(), name="own-export-archive"),
    path("", include("tenant_apps.dojo.urls")),
    path("", include("tenant_apps.ranks.urls")),
    path("", include("tenant_apps.students.urls")),
    path("", include("tenant_apps.classes.urls")),
    path("", include("tenant_apps.attendance.urls")),
    path("", include("tenant_apps.promotions.urls")),
    path("", include("tenant_apps.notifications.urls")),
    path("", include("tatami.api.openapi.views")),
    path("", include("tenant_apps.desk.urls")),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.exception_mapping.error_handler"
operations = TENANT_OPERATIONS
operation_ids = OPERATION_IDS
