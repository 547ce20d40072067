from django.urls import path

from tenant_apps.attendance import device_views, page_views, qr_views, report_views, roster_views, views

urlpatterns = [
    path("qr", qr_views.Qr.as_view(), name="qr"),
    path("students/<uuid:id>/card", qr_views.StudentCard.as_view(), name="student-card"),
    path("attendance/scan", views.ScanCode.as_view(), name="scan"),
    path("attendance/sync", views.SyncScans.as_view(), name="sync"),
    path("attendance/refusals", views.Refusals.as_view(), name="refusals"),
    path("attendance", views.AttendanceCollection.as_view(), name="attendance"),
    path("attendance/<uuid:id>", views.AttendanceEntry.as_view(), name="attendance-entry"),
    path("attendance/<uuid:id>/void", views.VoidAttendance.as_view(), name="attendance-void"),
    path(
        "students/<uuid:student_id>/attendance", views.StudentAttendance.as_view(), name="student-attendance"
    ),
    path("check-in/<str:token>", page_views.CheckInPage.as_view(), name="check-in"),
    path("devices", device_views.DeviceCollection.as_view(), name="devices"),
    path("devices/pairing", device_views.Pairing.as_view(), name="device-pairing"),
    path("devices/<uuid:id>", device_views.DeviceDetail.as_view(), name="device"),
    path("class-sessions/<uuid:id>", roster_views.SessionResource.as_view(), name="class-session"),
    path("class-sessions/<uuid:id>/roster", roster_views.Roster.as_view(), name="class-session-roster"),
    path("reports/attendance", report_views.AttendanceReport.as_view(), name="report-attendance"),
    path("reports/absentees", report_views.Absentees.as_view(), name="report-absentees"),
    path("reports/ranks", report_views.RanksReport.as_view(), name="report-ranks"),
    path(
        "reports/expected-attendance",
        report_views.ExpectedAttendance.as_view(),
        name="report-expected-attendance",
    ),
]
