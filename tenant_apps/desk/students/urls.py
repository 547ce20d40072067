"""Students: list, profile, forms, records, import, cards."""

from django.urls import path

from tenant_apps.desk.students.cards.view import Card, Cards
from tenant_apps.desk.students.directory.view import Students, StudentsExport
from tenant_apps.desk.students.files.transfer import Transfer
from tenant_apps.desk.students.files.view import Import
from tenant_apps.desk.students.form.view import EditStudent, FindGuardian, NewStudent
from tenant_apps.desk.students.profile.view import PersonalData, Profile, Visits
from tenant_apps.desk.students.records import history, training
from tenant_apps.desk.students.removal.view import Archive, Erase, Merge, Restore

STUDENT = "desk/students/<uuid:id>"

urlpatterns = [
    path("desk/students", Students.as_view(), name="students"),
    path("desk/students/export", StudentsExport.as_view(), name="students-export"),
    path("desk/students/import", Import.as_view(), name="students-import"),
    path("desk/students/transfer", Transfer.as_view(), name="student-transfer"),
    path("desk/students/cards", Cards.as_view(), name="student-cards"),
    path("desk/students/guardians", FindGuardian.as_view(), name="student-guardians"),
    path("desk/students/new", NewStudent.as_view(), name="student-new"),
    path(STUDENT, Profile.as_view(), name="student"),
    path(f"{STUDENT}/edit", EditStudent.as_view(), name="student-edit"),
    path(f"{STUDENT}/card", Card.as_view(), name="student-card"),
    path(f"{STUDENT}/visits", Visits.as_view(), name="student-visits"),
    path(f"{STUDENT}/data", PersonalData.as_view(), name="student-data"),
    path(f"{STUDENT}/archive", Archive.as_view(), name="student-archive"),
    path(f"{STUDENT}/restore", Restore.as_view(), name="student-restore"),
    path(f"{STUDENT}/erase", Erase.as_view(), name="student-erase"),
    path(f"{STUDENT}/merge", Merge.as_view(), name="student-merge"),
    # records: a dialog with htmx, a page without
    path(f"{STUDENT}/visits/new", training.NewVisit.as_view(), name="student-visit-new"),
    path(f"{STUDENT}/visits/<uuid:record_id>/void", training.VoidVisit.as_view(), name="student-visit-void"),
    path(f"{STUDENT}/classes/new", training.Enrol.as_view(), name="student-enrol"),
    path(
        f"{STUDENT}/classes/<uuid:record_id>/end",
        training.EndEnrolment.as_view(),
        name="student-enrolment-end",
    ),
    path(f"{STUDENT}/logins/new", training.NewLogin.as_view(), name="student-login-new"),
    path(f"{STUDENT}/logins/<uuid:record_id>/end", training.EndLogin.as_view(), name="student-login-end"),
    path(f"{STUDENT}/notes/new", history.NewNote.as_view(), name="student-note-new"),
    path(f"{STUDENT}/notes/<uuid:record_id>", history.EditNote.as_view(), name="student-note-edit"),
    path(
        f"{STUDENT}/notes/<uuid:record_id>/delete", history.DeleteNote.as_view(), name="student-note-delete"
    ),
    path(f"{STUDENT}/breaks/new", history.NewHold.as_view(), name="student-hold-new"),
    path(f"{STUDENT}/breaks/<uuid:record_id>", history.EditHold.as_view(), name="student-hold-edit"),
    path(
        f"{STUDENT}/breaks/<uuid:record_id>/delete", history.DeleteHold.as_view(), name="student-hold-delete"
    ),
    path(f"{STUDENT}/facts/new", history.NewFact.as_view(), name="student-fact-new"),
    path(f"{STUDENT}/facts/<uuid:record_id>/void", history.VoidFact.as_view(), name="student-fact-void"),
    path(f"{STUDENT}/ranks/new", history.NewRank.as_view(), name="student-rank-new"),
    path(f"{STUDENT}/ranks/<uuid:record_id>/void", history.VoidRank.as_view(), name="student-rank-void"),
    path(f"{STUDENT}/ranks/<uuid:rank_id>/award", history.Award.as_view(), name="student-award"),
]
