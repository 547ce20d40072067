from django.urls import path

from tenant_apps.attendance import qr_views, views

urlpatterns = [
    path("qr", qr_views.Qr.as_view(), name="qr"),
    path("students/<uuid:id>/card", qr_views.StudentCard.as_view(), name="student-card"),
    path("attendance/scan", views.ScanCode.as_view(), name="scan"),
    path("attendance/refusals", views.Refusals.as_view(), name="refusals"),
    path("attendance", views.AttendanceCollection.as_view(), name="attendance"),
    path("attendance/<uuid:id>/void", views.VoidAttendance.as_view(), name="attendance-void"),
    path(
        "students/<uuid:student_id>/attendance", views.StudentAttendance.as_view(), name="student-attendance"
    ),
]
