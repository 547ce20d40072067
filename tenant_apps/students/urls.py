from django.urls import path

from tenant_apps.students import (
    history_views,
    hold_views,
    import_views,
    privacy_views,
    roll_views,
    user_views,
    views,
)

urlpatterns = [
    path("me", user_views.DojoMe.as_view(), name="me"),
    path("users", user_views.DojoUserCollection.as_view(), name="users"),
    path("users/<uuid:id>", user_views.DojoUserResource.as_view(), name="user"),
    path("students", views.StudentCollection.as_view(), name="students"),
    path("students/import", import_views.StudentImport.as_view(), name="students-import"),
    path("students/export", roll_views.StudentRoll.as_view(), name="students-export"),
    path("students/<uuid:id>", views.StudentResource.as_view(), name="student"),
    path("guardians", views.Guardians.as_view(), name="guardians"),
    path("students/<uuid:student_id>/notes", history_views.Notes.as_view(), name="student-notes"),
    path("students/<uuid:student_id>/notes/<uuid:id>", history_views.Note.as_view(), name="student-note"),
    path("students/<uuid:student_id>/holds", hold_views.Holds.as_view(), name="student-holds"),
    path("students/<uuid:student_id>/holds/<uuid:id>", hold_views.Hold.as_view(), name="student-hold"),
    path("students/<uuid:student_id>/export", privacy_views.StudentDossier.as_view(), name="student-export"),
    path("students/<uuid:student_id>/erasure", privacy_views.Erasure.as_view(), name="student-erasure"),
    path("students/<uuid:student_id>/facts", history_views.Facts.as_view(), name="student-facts"),
    path("facts/import", import_views.FactImport.as_view(), name="facts-import"),
    path("facts/<uuid:id>/void", history_views.VoidFact.as_view(), name="fact-void"),
    path(
        "students/<uuid:student_id>/rank-events",
        history_views.StudentRankEvents.as_view(),
        name="student-rank-events",
    ),
    path("rank-events", history_views.RankEvents.as_view(), name="rank-events"),
    path("rank-events/import", import_views.RankEventImport.as_view(), name="rank-events-import"),
    path("rank-events/<uuid:id>/void", history_views.VoidRankEvent.as_view(), name="rank-event-void"),
]
