from django.urls import path

from tenant_apps.classes.views import calendar, classes, sessions

# The route of one session, `class-session`, is in the attendance app: it shows the roster.
urlpatterns = [
    path("classes", classes.ClassCollection.as_view(), name="classes"),
    path("classes/<uuid:id>", classes.ClassResource.as_view(), name="class"),
    path("classes/<uuid:class_id>/enrolments", classes.Enrolments.as_view(), name="class-enrolments"),
    path(
        "classes/<uuid:class_id>/enrolments/<uuid:student_id>",
        classes.EnrolmentDetail.as_view(),
        name="class-enrolment",
    ),
    path("class-sessions", sessions.SessionCollection.as_view(), name="class-sessions"),
    path(
        "class-sessions/<uuid:id>/cancellation",
        sessions.Cancellation.as_view(),
        name="class-session-cancellation",
    ),
    path("closures", classes.ClosureCollection.as_view(), name="closures"),
    path("closures/<uuid:id>", classes.ClosureResource.as_view(), name="closure"),
    path("me/calendar", calendar.MyCalendar.as_view(), name="my-calendar"),
    path("calendar.ics", calendar.Calendar.as_view(), name="calendar"),
]
