from django.urls import path

from tenant_apps.classes import views

# The route of one session, `class-session`, is in the attendance app: it shows the roster.
urlpatterns = [
    path("classes", views.ClassCollection.as_view(), name="classes"),
    path("classes/<uuid:id>", views.ClassResource.as_view(), name="class"),
    path("classes/<uuid:class_id>/enrolments", views.Enrolments.as_view(), name="class-enrolments"),
    path(
        "classes/<uuid:class_id>/enrolments/<uuid:student_id>",
        views.EnrolmentDetail.as_view(),
        name="class-enrolment",
    ),
    path("class-sessions", views.SessionCollection.as_view(), name="class-sessions"),
    path(
        "class-sessions/<uuid:id>/cancellation",
        views.Cancellation.as_view(),
        name="class-session-cancellation",
    ),
    path("me/calendar", views.MyCalendar.as_view(), name="my-calendar"),
    path("calendar.ics", views.Calendar.as_view(), name="calendar"),
]
