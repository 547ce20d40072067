from django.urls import path

from tenant_apps.students.views import csv_files, privacy, records, students, users

urlpatterns = [
    path("me", users.DojoMe.as_view(), name="me"),
    path("users", users.DojoUserCollection.as_view(), name="users"),
    path("users/<uuid:id>", users.DojoUserResource.as_view(), name="user"),
    path("students", students.StudentCollection.as_view(), name="students"),
    path("students/import", csv_files.StudentImportView.as_view(), name="students-import"),
    path("students/export", csv_files.StudentCsv.as_view(), name="students-export"),
    path("students/transfers", privacy.Transfers.as_view(), name="student-transfers"),
    path("students/<uuid:id>", students.StudentResource.as_view(), name="student"),
    path("guardians", students.Guardians.as_view(), name="guardians"),
    path("students/<uuid:student_id>/notes", records.Notes.as_view(), name="student-notes"),
    path("students/<uuid:student_id>/notes/<uuid:id>", records.Note.as_view(), name="student-note"),
    path("students/<uuid:student_id>/holds", records.Holds.as_view(), name="student-holds"),
    path("students/<uuid:student_id>/holds/<uuid:id>", records.Hold.as_view(), name="student-hold"),
    path("students/<uuid:student_id>/export", privacy.PersonalDataExport.as_view(), name="student-export"),
    path("students/<uuid:student_id>/erasure", privacy.Erasure.as_view(), name="student-erasure"),
    path("students/<uuid:student_id>/merge", students.Merge.as_view(), name="student-merge"),
    path("students/<uuid:student_id>/facts", records.Facts.as_view(), name="student-facts"),
    path("facts/import", csv_files.FactImportView.as_view(), name="facts-import"),
    path("facts/<uuid:id>/void", records.VoidFact.as_view(), name="fact-void"),
    path(
        "students/<uuid:student_id>/rank-events",
        records.StudentRankEvents.as_view(),
        name="student-rank-events",
    ),
    path("rank-events", records.RankEvents.as_view(), name="rank-events"),
    path("rank-events/import", csv_files.RankEventImportView.as_view(), name="rank-events-import"),
    path("rank-events/<uuid:id>/void", records.VoidRankEvent.as_view(), name="rank-event-void"),
]
