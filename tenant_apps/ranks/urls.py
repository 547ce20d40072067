from django.urls import path

from tenant_apps.ranks import views

urlpatterns = [
    path("disciplines", views.DisciplineCollection.as_view(), name="disciplines"),
    path("disciplines/<uuid:id>", views.DisciplineResource.as_view(), name="discipline"),
    path("rank-systems/presets", views.Presets.as_view(), name="rank-system-presets"),
    path("rank-systems", views.RankSystemCollection.as_view(), name="rank-systems"),
    path("rank-systems/<uuid:id>", views.RankSystemResource.as_view(), name="rank-system"),
    path("rank-systems/<uuid:id>/rules", views.Rules.as_view(), name="rank-system-rules"),
]
