from django.urls import path

from tenant_apps.attendance.views import attendance, codes, devices, reports, roster, scans

urlpatterns = [
    path("qr", codes.Qr.as_view(), name="qr"),
    path("students/<uuid:id>/card", codes.StudentCard.as_view(), name="student-card"),
    path("attendance/scan", scans.ScanCode.as_view(), name="scan"),
    path("attendance/sync", scans.SyncScans.as_view(), name="sync"),
    path("attendance/refusals", attendance.Refusals.as_view(), name="refusals"),
    path("attendance", attendance.AttendanceCollection.as_view(), name="attendance"),
    path("attendance/import", attendance.AttendanceImportView.as_view(), name="attendance-import"),
    path("attendance/<uuid:id>", attendance.AttendanceEntry.as_view(), name="attendance-entry"),
    path("attendance/<uuid:id>/void", attendance.VoidAttendance.as_view(), name="attendance-void"),
    path(
        "students/<uuid:student_id>/attendance",
        attendance.StudentAttendance.as_view(),
        name="student-attendance",
    ),
    path("devices", devices.DeviceCollection.as_view(), name="devices"),
    path("devices/pairing", devices.Pairing.as_view(), name="device-pairing"),
    path("devices/<uuid:id>", devices.DeviceDetail.as_view(), name="device"),
    path("class-sessions/<uuid:id>", roster.SessionResource.as_view(), name="class-session"),
    path("class-sessions/<uuid:id>/roster", roster.Roster.as_view(), name="class-session-roster"),
    path("reports/attendance", reports.AttendanceReport.as_view(), name="report-attendance"),
    path("reports/absentees", reports.Absentees.as_view(), name="report-absentees"),
    path("reports/ranks", reports.RanksReport.as_view(), name="report-ranks"),
    path(
        "reports/expected-attendance",
        reports.ExpectedAttendance.as_view(),
        name="report-expected-attendance",
    ),
]
