from django.urls import path

from tenant_apps.notifications import page_views, template_views, views

urlpatterns = [
    path("notifications", views.Notifications.as_view(), name="notifications"),
    path("notifications/<uuid:id>", views.NotificationResource.as_view(), name="notification"),
    path("notifications/<uuid:id>/recipients", views.Recipients.as_view(), name="notification-recipients"),
    path("notifications/<uuid:id>/cancel", views.CancelNotification.as_view(), name="notification-cancel"),
    path("notification-templates", template_views.Templates.as_view(), name="notification-templates"),
    path(
        "notification-templates/<str:name>", template_views.Template.as_view(), name="notification-template"
    ),
    path(
        "notification-templates/<str:name>/preview",
        template_views.Preview.as_view(),
        name="notification-template-preview",
    ),
    path(
        "notification-templates/<str:name>/test",
        template_views.Test.as_view(),
        name="notification-template-test",
    ),
    path("unsubscribe/<str:code>", page_views.Unsubscribe.as_view(), name="unsubscribe"),
]
