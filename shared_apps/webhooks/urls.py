from django.urls import path

from shared_apps.webhooks import views

urlpatterns = [
    path("webhooks", views.WebhookCollection.as_view(), name="webhooks"),
    path("webhooks/<uuid:id>", views.WebhookResource.as_view(), name="webhook"),
    path("webhooks/<uuid:id>/test", views.WebhookTest.as_view(), name="webhook-test"),
    path("webhooks/<uuid:id>/deliveries", views.WebhookDeliveries.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:id>/redelivery",
        views.Redelivery.as_view(),
        name="webhook-redelivery",
    ),
]
