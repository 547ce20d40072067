"""What stands at the door: the kiosk, and the page of the code that it shows on the wall."""

from django.urls import path

from tenant_apps.desk.check_in.view import CheckIn
from tenant_apps.desk.kiosk.view import Kiosk, KioskManifest, KioskWorker

urlpatterns = [
    path("kiosk", Kiosk.as_view(), name="kiosk"),
    path("kiosk/worker.js", KioskWorker.as_view(), name="kiosk-worker"),
    path("kiosk/manifest.json", KioskManifest.as_view(), name="kiosk-manifest"),
    path("check-in/<str:token>", CheckIn.as_view(), name="check-in"),
]
