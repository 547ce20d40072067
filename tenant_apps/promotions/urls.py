from django.urls import path

from tenant_apps.promotions import batch_views, views

urlpatterns = [
    path("promotions", views.Promotions.as_view(), name="promotions"),
    path("promotions/check", views.CheckPromotions.as_view(), name="promotion-check"),
    path("promotions/snapshot", views.Snapshot.as_view(), name="promotion-snapshot"),
    path("promotions/batches", batch_views.Batches.as_view(), name="promotion-batches"),
    path("promotions/batches/<uuid:id>", batch_views.BatchResource.as_view(), name="promotion-batch"),
    path(
        "promotions/batches/<uuid:id>/results", batch_views.Results.as_view(), name="promotion-batch-results"
    ),
    path(
        "promotions/batches/<uuid:id>/cancel",
        batch_views.CancelBatch.as_view(),
        name="promotion-batch-cancel",
    ),
    path(
        "promotions/batches/<uuid:id>/revert",
        batch_views.RevertBatch.as_view(),
        name="promotion-batch-revert",
    ),
    path("rank-events/<uuid:id>/decision", views.RankEventDecision.as_view(), name="rank-event-decision"),
]
