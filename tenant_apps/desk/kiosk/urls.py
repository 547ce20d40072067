"""The kiosk at the door and the wall mode."""

from django.urls import path

from tenant_apps.desk.kiosk.view import Kiosk, KioskManifest, KioskWorker

urlpatterns = [
    path("kiosk", Kiosk.as_view(), name="kiosk"),
    path("kiosk/worker.js", KioskWorker.as_view(), name="kiosk-worker"),
    path("kiosk/manifest.json", KioskManifest.as_view(), name="kiosk-manifest"),
]
