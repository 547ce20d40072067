from django.urls import path

from tenant_apps.classes import feed_views, session_views, views

# The route of one session, `class-session`, is attendance's: it shows the roster.
urlpatterns = [
    path("classes", views.ClassCollection.as_view(), name="classes"),
    path("classes/<uuid:id>", views.ClassResource.as_view(), name="class"),
    path("classes/<uuid:class_id>/enrolments", views.Enrolments.as_view(), name="class-enrolments"),
    path(
        "classes/<uuid:class_id>/enrolments/<uuid:student_id>",
        views.EnrolmentDetail.as_view(),
        name="class-enrolment",
    ),
    path("class-sessions", session_views.SessionCollection.as_view(), name="class-sessions"),
    path(
        "class-sessions/<uuid:id>/cancellation",
        session_views.Cancellation.as_view(),
        name="class-session-cancellation",
    ),
    path("me/calendar", feed_views.MyCalendar.as_view(), name="my-calendar"),
    path("calendar.ics", feed_views.Calendar.as_view(), name="calendar"),
]
