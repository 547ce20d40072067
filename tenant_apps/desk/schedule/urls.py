"""The week, sessions with their rosters, classes with their enrolments, closures."""

from django.urls import path

from tenant_apps.desk.schedule.classes.enrolments import EndEnrolment, Enrolments
from tenant_apps.desk.schedule.classes.view import ArchiveClass, Classes, ClassFormPage, ClassPage
from tenant_apps.desk.schedule.closures.view import Closures, NewClosure, Reopen
from tenant_apps.desk.schedule.roster.correct import Correction
from tenant_apps.desk.schedule.roster.view import Mark, RosterLive, SessionPage, Visitors
from tenant_apps.desk.schedule.sessions.view import (
    CancelSession,
    NewSession,
    ReinstateSession,
    SessionChanges,
    SessionCode,
)
from tenant_apps.desk.schedule.week.view import WeekView

_SESSION = "desk/schedule/sessions/<uuid:id>"
_CLASS = "desk/schedule/classes/<uuid:id>"

urlpatterns = [
    path("desk/schedule", WeekView.as_view(), name="schedule"),
    path("desk/schedule/sessions/new", NewSession.as_view(), name="session-new"),
    path(_SESSION, SessionPage.as_view(), name="session"),
    path(f"{_SESSION}/live", RosterLive.as_view(), name="session-live"),
    path(f"{_SESSION}/mark", Mark.as_view(), name="session-mark"),
    path(f"{_SESSION}/visitors", Visitors.as_view(), name="session-visitors"),
    path(f"{_SESSION}/students/<uuid:student>", Correction.as_view(), name="session-student"),
    path(f"{_SESSION}/edit", SessionChanges.as_view(), name="session-edit"),
    path(f"{_SESSION}/cancel", CancelSession.as_view(), name="session-cancel"),
    path(f"{_SESSION}/reinstate", ReinstateSession.as_view(), name="session-reinstate"),
    path(f"{_SESSION}/code", SessionCode.as_view(), name="session-code"),
    path("desk/schedule/classes", Classes.as_view(), name="classes"),
    path("desk/schedule/classes/new", ClassFormPage.as_view(), name="class-new"),
    path(_CLASS, ClassPage.as_view(), name="class"),
    path(f"{_CLASS}/edit", ClassFormPage.as_view(), name="class-edit"),
    path(f"{_CLASS}/archive", ArchiveClass.as_view(), name="class-archive"),
    path(f"{_CLASS}/enrolments", Enrolments.as_view(), name="class-enrolments"),
    path(f"{_CLASS}/enrolments/<uuid:student>", EndEnrolment.as_view(), name="class-enrolment"),
    path("desk/schedule/closures", Closures.as_view(), name="closures"),
    path("desk/schedule/closures/new", NewClosure.as_view(), name="closure-new"),
    path("desk/schedule/closures/<uuid:id>/reopen", Reopen.as_view(), name="closure-reopen"),
]
