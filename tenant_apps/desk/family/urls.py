"""The pages of students and their parents."""

from django.urls import path

from tenant_apps.desk.family import view

urlpatterns = [
    path("family", view.Family.as_view(), name="family"),
    path("family/manifest.json", view.FamilyManifest.as_view(), name="family-manifest"),
    path("family/calendar", view.Calendar.as_view(), name="family-calendar"),
    path("family/news", view.News.as_view(), name="family-news"),
    path("family/<uuid:id>", view.FamilyStudent.as_view(), name="family-student"),
    path("family/<uuid:id>/code", view.FamilyCode.as_view(), name="family-code"),
    path("family/<uuid:id>/code/image", view.FamilyCodeImage.as_view(), name="family-code-image"),
    path("family/certificates/<uuid:event>", view.FamilyCertificate.as_view(), name="family-certificate"),
]
